-- Jobs that are to be added, written in the transaction of the change that they belong to.
create table outbox (
  id bigint generated always as identity primary key,
  task text not null,
  payload jsonb not null,
  added_at timestamptz not null default now()
);

-- Wakes the relay when the transaction is committed.
create function notify_outbox() returns trigger language plpgsql as $$
begin
  notify outbox;
  return null;
end
$$;
create trigger outbox_added after insert on outbox for each statement execute function notify_outbox();

-- What the program itself stores.
create table orders (
  id bigint generated always as identity primary key,
  customer text not null,
  mails_sent int not null default 0
);

-- Rows of the outbox whose work is done.
create table done (
  outbox_id bigint primary key,
  done_at timestamptz not null default now()
);
