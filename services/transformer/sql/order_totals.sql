-- Orders of the batch, or with lines in it, whose total is not the sum of their standing lines.
select next_orders.order_id, next_orders.total_amount_cents, sums.lines_cents
from next_orders
join (
    select next_order_items.order_id,
           sum(cast(next_order_items.quantity * next_order_items.unit_price_cents
                    as decimal(18, 0))) as lines_cents
    from next_order_items
    join mentioned_orders on mentioned_orders.order_id = next_order_items.order_id
    where next_order_items.order_date is not null
    group by next_order_items.order_id
) as sums on sums.order_id = next_orders.order_id
where next_orders.total_amount_cents <> sums.lines_cents
