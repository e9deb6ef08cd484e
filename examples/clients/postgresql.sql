create table ledger as select 0 as number;
create sequence ids;
create table orders (id serial, made timestamptz default now());
create table log (entry int, made timestamptz default now());
