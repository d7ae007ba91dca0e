-- How many rows the rewritten partitions held before: what the row counts are checked against.
select 'orders' as facts_table, count(*) as row_count
from current_orders
join changed_order_partitions
  on changed_order_partitions.order_date = current_orders.order_date
 and changed_order_partitions.is_rewritten = 1
union all
select 'order_items', count(*)
from current_order_items
join changed_order_item_partitions
  on changed_order_item_partitions.order_date is not distinct from current_order_items.order_date
 and changed_order_item_partitions.is_rewritten = 1
union all
select 'products', count(*) from current_products
union all
select 'order_days', 0
