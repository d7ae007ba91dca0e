-- The days that the batch says something of: their KPIs are computed anew.
select order_date from batch_orders
union
select order_date from current_orders
union
select order_date from recategorised_lines where order_date is not null
