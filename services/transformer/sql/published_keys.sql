-- The KPI items that the rows gave which are no longer where they were: what is gone of these has to
-- be deleted.
select order_date, cast(null as string) as category from previous_orders
union
select order_date, coalesce(category, 'Unknown') from previous_order_items
where order_date is not null
