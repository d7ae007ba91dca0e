-- How many rows of each input a newer statement of the same batch has replaced.
select 'orders' as kind, file_index, count(*) as row_count
from (
    select file_index,
           lead(order_id) over (
               partition by order_id order by statement_index, file_index, source_line
           ) as stated_again
    from order_statements
) as statements
where stated_again is not null and file_index >= 0
group by file_index
union all
select 'order_items', file_index, count(*)
from replaced_lines
where file_index >= 0
group by file_index
union all
select 'products', file_index, count(*)
from (
    select file_index,
           lead(product_id) over (
               partition by product_id order by statement_index, file_index, source_line
           ) as stated_again
    from product_statements
) as statements
where stated_again is not null and file_index >= 0
group by file_index
