-- Replaced lines in whose place a newer file has other content: the line of the same line_id, or
-- among the lines of the pair one that equals it, each standing for one.
select replaced.order_id, replaced.product_id, replaced.line_id,
       coalesce(same_id.source_key, first_lines.source_key) as source_key,
       coalesce(same_id.source_line, first_lines.source_line) as source_line,
       replaced.batch_id as replaced_batch_id, replaced.source_key as replaced_key,
       replaced.source_line as replaced_line, replaced.file_index as replaced_file_index
from (
    select line_outcomes.*,
           row_number() over (
               partition by order_id, product_id, statement_index, replaced_in,
                            quantity, unit_price_cents, line_amount_cents
               order by file_index, source_line
           ) as number_among_equals
    from line_outcomes
    where replaced_in is not null
) as replaced
left join line_outcomes as same_id
  on same_id.order_id = replaced.order_id
 and same_id.line_id = replaced.line_id
 and same_id.statement_index = replaced.replaced_in
 and same_id.next_numbered is distinct from same_id.statement_index
left join (
    select order_id, product_id, statement_index, quantity, unit_price_cents, line_amount_cents,
           count(*) as line_count
    from line_outcomes
    group by order_id, product_id, statement_index, quantity, unit_price_cents, line_amount_cents
) as equals
  on equals.order_id = replaced.order_id
 and equals.product_id = replaced.product_id
 and equals.statement_index = replaced.replaced_in
 and equals.quantity = replaced.quantity
 and equals.unit_price_cents = replaced.unit_price_cents
 and equals.line_amount_cents = replaced.line_amount_cents
left join (
    select order_id, product_id, statement_index, source_key, source_line,
           row_number() over (
               partition by order_id, product_id, statement_index
               order by file_index, source_line
           ) as position_in_pair
    from line_outcomes
) as first_lines
  on first_lines.order_id = replaced.order_id
 and first_lines.product_id = replaced.product_id
 and first_lines.statement_index = replaced.replaced_in
 and first_lines.position_in_pair = 1
where case
          when same_id.order_id is not null
              then same_id.product_id <> replaced.product_id
                or same_id.quantity <> replaced.quantity
                or same_id.unit_price_cents <> replaced.unit_price_cents
                or same_id.line_amount_cents <> replaced.line_amount_cents
          else replaced.number_among_equals > coalesce(equals.line_count, 0)
      end
