-- One row per order_date and category; whole numbers only, ratios are made and rounded at the edge.
-- An order counts once in a category, however many lines it has there. A line that has a day stands on
-- its order's: only whether that was returned is to be looked up.
select orders_in_category.order_date, orders_in_category.category,
       sum(orders_in_category.revenue_cents) as daily_revenue_cents,
       count(*) as orders_with_category,
       sum(case when returned.order_id is null then 0 else 1 end) as returned_orders
from (
    select order_date, coalesce(category, 'Unknown') as category, order_id,
           sum(cast(line_amount_cents as decimal(18, 0))) as revenue_cents
    from kpi_order_items
    where order_date is not null
    group by order_date, coalesce(category, 'Unknown'), order_id
) as orders_in_category
left join (
    select order_id from kpi_orders where status = 'returned'
) as returned on returned.order_id = orders_in_category.order_id
group by orders_in_category.order_date, orders_in_category.category
