-- SPDX-License-Identifier: Apache-2.0
-- The table of the demo with services. It begins anew each time, so what was delivered before is forgotten too.
drop table if exists leat_fences;
drop table if exists payments;
create table payments (
	id text primary key,
	"user" text not null,
	amount numeric not null,
	currency text,
	country text,
	ts bigint,
	usual double precision,
	score double precision
);
