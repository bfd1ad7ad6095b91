-- What {net: amount / 1.19, big: amount > 100} says.
function process(event)
  event.net = event.amount / 1.19
  event.big = event.amount > 100
  emit(event)
end
