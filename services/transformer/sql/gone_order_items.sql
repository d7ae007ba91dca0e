-- Where the lines lie that are replaced, move or take a category.
select data_file, row_in_file from lines where outcome in ('restated', 'changed')
