-- One row per order_date with orders; a guest's order has no user_id, and is no known customer's.
-- Whole numbers only, ratios are made and rounded at the edge.
select days.order_date, days.total_orders, days.total_revenue_cents,
       coalesce(sold.total_items_sold, 0) as total_items_sold,
       days.returned_orders, days.unique_customers, days.guests
from (
    select order_date,
           count(*) as total_orders,
           sum(cast(total_amount_cents as decimal(18, 0))) as total_revenue_cents,
           sum(case when status = 'returned' then 1 else 0 end) as returned_orders,
           count(distinct user_id) as unique_customers,
           sum(case when user_id is null then 1 else 0 end) as guests
    from kpi_orders
    group by order_date
) as days
left join (
    select order_date, sum(cast(quantity as decimal(18, 0))) as total_items_sold
    from kpi_order_items
    where order_date is not null
    group by order_date
) as sold on sold.order_date = days.order_date
