-- How many rows the rewritten partitions hold after the batch, and how many are added to others.
select 'orders' as facts_table, count(*) as row_count from written_orders
union all
select 'order_items', count(*) from written_order_items
union all
select 'products', count(*) from next_products
union all
select 'order_days', count(*) from written_order_days
