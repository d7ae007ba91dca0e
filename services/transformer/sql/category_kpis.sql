-- One row per order_date and category; whole numbers only, ratios are made and rounded at the edge.
select kpi_order_items.order_date,
       coalesce(kpi_order_items.category, 'Unknown') as category,
       sum(cast(kpi_order_items.quantity * kpi_order_items.unit_price_cents as decimal(19, 0)))
           as daily_revenue_cents,
       count(distinct kpi_order_items.order_id) as orders_with_category,
       count(distinct case when kpi_orders.status = 'returned' then kpi_orders.order_id end)
           as returned_orders
from kpi_order_items
join kpi_orders on kpi_orders.order_id = kpi_order_items.order_id
where kpi_order_items.order_date is not null
group by kpi_order_items.order_date, coalesce(kpi_order_items.category, 'Unknown')
