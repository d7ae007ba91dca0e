-- The orders that the batch mentions, after it. A total that follows its lines is the sum over those
-- that stand of what they cost and add to it, and the order's own extra.
-- `is_retotalled` are those of before whose total the batch's lines have changed.
select order_id, user_id, order_date, total_amount_cents, status,
       total_from_lines, total_extra_cents, batch_id, source_key, source_line, is_stated,
       not is_stated and total_amount_cents <> total_before_cents as is_retotalled
from (
    select standing_orders.order_id, standing_orders.user_id, standing_orders.order_date,
           standing_orders.status, standing_orders.total_from_lines,
           standing_orders.total_extra_cents, standing_orders.batch_id,
           standing_orders.source_key, standing_orders.source_line, standing_orders.is_stated,
           standing_orders.total_amount_cents as total_before_cents,
           case
               when standing_orders.total_from_lines
                   then cast(
                       coalesce(sums.lines_cents, 0) + standing_orders.total_extra_cents as bigint
                   )
               else standing_orders.total_amount_cents
           end as total_amount_cents
    from standing_orders
    left join (
        select lines.order_id,
               sum(
                   cast(lines.line_amount_cents + lines.added_to_total_cents as decimal(18, 0))
               ) as lines_cents
        from lines
        join standing_orders
          on standing_orders.order_id = lines.order_id and standing_orders.total_from_lines
        where lines.outcome <> 'restated'
        group by lines.order_id
    ) as sums on sums.order_id = standing_orders.order_id
) as totalled
