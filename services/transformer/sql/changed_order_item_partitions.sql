-- The days of `order_items` that have to be written anew; null stands for the waiting lines.
select old_order_date as order_date from lines where outcome in ('restated', 'changed')
union
select order_date from lines where outcome in ('new', 'changed')
