-- SPDX-License-Identifier: Apache-2.0
-- The average price of the last ten auctions of a seller, for each one of `closed`: {expires, id, final}.
local LAST <const> = 10

local function is_before(a, b)
	if a[1] ~= b[1] then return a[1] < b[1] end
	return a[2] < b[2]
end

local function average(prices)
	local sum = 0
	for _, price in ipairs(prices) do sum = sum + price end
	return sum / #prices
end

function process(event, state)
	local closed, prices = {}, {}
	for i, auction in ipairs(event.closed) do closed[i] = auction end
	table.sort(closed, is_before)
	for i, price in ipairs(state.prices or {}) do prices[i] = price end
	for _, auction in ipairs(closed) do
		if #prices == LAST then table.remove(prices, 1) end
		prices[#prices + 1] = auction[3]
		emit({seller = event.seller, id = auction[2], average = average(prices)})
	end
	state.prices = prices
end
