-- How many rows of each input stand in the facts.
select 'orders' as kind, file_index, count(*) as row_count from batch_orders group by file_index
union all
select 'order_items', file_index, count(*) from lines where outcome = 'new' group by file_index
union all
select 'products', file_index, count(*) from batch_products group by file_index
