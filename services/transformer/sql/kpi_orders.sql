-- The orders of the affected days after the batch: of data files that are kept, and those written.
select order_id, user_id, order_date, total_amount_cents, status from kept_orders
union all
select order_id, user_id, order_date, total_amount_cents, status from written_orders
