-- Orders of the batch, or with lines in it, whose stated total is not the sum of their standing lines.
select next_orders.order_id, next_orders.total_amount_cents, sums.lines_cents
from next_orders
join (
    select order_id,
           sum(cast(line_amount_cents as decimal(18, 0))) as lines_cents,
           max(case when outcome = 'new' then 1 else 0 end) as has_new_lines
    from lines
    where outcome <> 'restated' and order_date is not null
    group by order_id
) as sums on sums.order_id = next_orders.order_id
where not next_orders.total_from_lines
  and next_orders.total_amount_cents <> sums.lines_cents
  and (next_orders.is_stated or sums.has_new_lines = 1)
