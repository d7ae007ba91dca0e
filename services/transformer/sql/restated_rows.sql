-- How much newer files have replaced with other content.
select 'orders' as kind, count(*) as row_count from restated_orders
union all
select 'order_items', count(*) from restated_lines
union all
select 'products', count(*) from restated_products
