-- The lines of the affected days, and those that wait, after the batch: of data files that are kept,
-- and those written.
select order_id, order_date, category, quantity, line_amount_cents from kept_order_items
union all
select order_id, order_date, category, quantity, line_amount_cents from written_order_items
