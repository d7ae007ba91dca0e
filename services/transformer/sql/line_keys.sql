-- What lines are known by, the pair and the line_id, of orders whose lines may be replaced: whether such
-- a line stood before the batch, and whether one stands after it.
select order_id, is_pair, line_key, max(stood) as stood, max(stands) as stands
from (
    select lines.order_id, 1 as is_pair, lines.product_id as line_key,
           case when lines.outcome = 'new' then 0 else 1 end as stood,
           case when lines.outcome = 'restated' then 0 else 1 end as stands
    from lines
    join contested_orders on contested_orders.order_id = lines.order_id
    union all
    select lines.order_id, 0, lines.line_id,
           case when lines.outcome = 'new' then 0 else 1 end,
           case when lines.outcome = 'restated' then 0 else 1 end
    from lines
    join contested_orders on contested_orders.order_id = lines.order_id
    where lines.line_id is not null
) as known_by
group by order_id, is_pair, line_key
