-- SPDX-License-Identifier: Apache-2.0
select name, city, state, auction.id
from auction
join person on person.id = seller
where category = 10 and state in ('OR', 'ID', 'CA')
