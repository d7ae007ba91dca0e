-- Orders that a newer file states with other content, once for each time: it and what it replaced.
select order_id, source_key, source_line,
       replaced_batch_id, replaced_key, replaced_line, replaced_file_index
from (
    select order_id, source_key, source_line, file_index,
           lag(batch_id) over each_order as replaced_batch_id,
           lag(source_key) over each_order as replaced_key,
           lag(source_line) over each_order as replaced_line,
           lag(file_index) over each_order as replaced_file_index,
           case
               when user_id is distinct from lag(user_id) over each_order
                 or order_date <> lag(order_date) over each_order
                 or stated_total_cents <> lag(stated_total_cents) over each_order
                 or total_from_lines <> lag(total_from_lines) over each_order
                 or total_extra_cents <> lag(total_extra_cents) over each_order
                 or status <> lag(status) over each_order
               then 1
               else 0
           end as is_other
    from order_statements
    window each_order as (
        partition by order_id order by statement_index, file_index, source_line
    )
) as statements
where replaced_file_index <> file_index and is_other = 1
