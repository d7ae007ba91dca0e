-- What the batch does to order lines, by the days before and after it. `has_other`: a line of the same
-- pair, or line_id, was there before a new one, or is there after one that is gone.
select old_order_date, order_date, outcome, has_other, count(*) as row_count
from (
    select lines.old_order_date, lines.order_date, lines.outcome,
           case
               when lines.outcome = 'new' and (pairs.stood = 1 or ids.stood = 1) then 1
               when lines.outcome = 'restated' and (pairs.stands = 1 or ids.stands = 1) then 1
               else 0
           end as has_other
    from lines
    left join line_keys as pairs
      on pairs.order_id = lines.order_id
     and pairs.is_pair = 1
     and pairs.line_key = lines.product_id
    left join line_keys as ids
      on ids.order_id = lines.order_id
     and ids.is_pair = 0
     and ids.line_key = lines.line_id
    where lines.outcome <> 'unchanged'
) as changed
group by old_order_date, order_date, outcome, has_other
