-- How many rows come to each table; what is written again beside them neither comes nor goes.
select 'orders' as facts_table, count(*) as row_count from coming_orders
union all
select 'order_items', count(*) from coming_order_items
union all
select 'products', count(*) from next_products
union all
select 'order_days', count(*) from written_order_days
