-- The days of `order_items` that change; null stands for the waiting lines. `is_rewritten` (1 or 0) are
-- those that lines leave or stand on otherwise; to the others lines are added, and what is there stays.
select order_date, max(is_rewritten) as is_rewritten
from (
    select old_order_date as order_date, 1 as is_rewritten
    from lines
    where outcome in ('restated', 'changed')
    union all
    select order_date, 0 from lines where outcome in ('new', 'changed')
) as changes
group by order_date
