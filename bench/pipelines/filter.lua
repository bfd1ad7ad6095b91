-- What "amount > 100 and country in ['DE', 'FR']" says.
function process(event)
  if event.amount > 100 and (event.country == "DE" or event.country == "FR") then emit(event) end
end
