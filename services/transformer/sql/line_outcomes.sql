-- In which statement each line of a contested order is replaced; null: it stands.
-- A line is replaced by the next line of its line_id, and by the next statement that has lines of
-- its pair without one; a line without line_id by any newer line of its pair; each by the next
-- statement that states the order whole.
select numbered.order_id, numbered.product_id, numbered.line_id, numbered.quantity,
       numbered.unit_price_cents, numbered.line_amount_cents, numbered.added_to_total_cents,
       numbered.category,
       numbered.batch_id, numbered.source_key, numbered.source_line,
       numbered.file_index, numbered.statement_index, numbered.next_numbered,
       case
           when numbered.line_id is null then pair_statements.next_statement
           when numbered.next_numbered is null then pair_statements.next_replacing_all
           when pair_statements.next_replacing_all < numbered.next_numbered
               then pair_statements.next_replacing_all
           else numbered.next_numbered
       end as replaced_in
from (
    select contested_lines.*,
           lead(statement_index) over (
               partition by order_id, line_id order by statement_index, file_index, source_line
           ) as next_numbered
    from contested_lines
) as numbered
join pair_statements
  on pair_statements.order_id = numbered.order_id
 and pair_statements.product_id = numbered.product_id
 and pair_statements.statement_index = numbered.statement_index
