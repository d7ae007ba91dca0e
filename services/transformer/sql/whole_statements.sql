-- The statements of the batch that state an order whole, once each, with the first row that does.
-- An order that has no lines left has its row of orders alone.
select order_id, statement_index, file_index, source_key, source_line
from (
    select stated.*,
           row_number() over (
               partition by order_id, statement_index order by file_index, source_line
           ) as position_in_statement
    from (
        select order_id, statement_index, file_index, source_key, source_line
        from staged_orders
        where whole_orders
        union all
        select order_id, statement_index, file_index, source_key, source_line
        from staged_order_items
        where whole_orders
    ) as stated
) as numbered
where position_in_statement = 1
