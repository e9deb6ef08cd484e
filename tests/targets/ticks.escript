#!/usr/bin/env escript
%% Ticks in Erlang's ways; see tests/programs/waits/ticker.rs for what it is told and answers.
%% All count Erlang's monotonic time, which follows the wall clock after a step by running 1 % faster or slower.
%%! +sbwt none +sbwtdcpu none +sbwtdio none

-define(PERIOD, 50).

main(_) ->
    Counts = counters:new(3, []),
    spawn_link(fun() -> {ok, _} = timer:send_interval(?PERIOD, tick), by_message(Counts) end),
    spawn_link(fun() -> by_send_after(Counts) end),
    spawn_link(fun() -> by_receive(Counts) end),
    io:format("ready ~s~n", [os:getpid()]),
    answer(Counts).

by_message(Counts) ->
    receive tick -> counters:add(Counts, 1, 1) end,
    by_message(Counts).

by_send_after(Counts) ->
    erlang:send_after(?PERIOD, self(), tick),
    receive tick -> counters:add(Counts, 2, 1) end,
    by_send_after(Counts).

by_receive(Counts) ->
    receive never -> ok after ?PERIOD -> counters:add(Counts, 3, 1) end,
    by_receive(Counts).

answer(Counts) ->
    case io:get_line("") of
        eof -> halt(0, [{flush, false}]);
        "ticks\n" ->
            Of = fun(Index) -> counters:get(Counts, Index) end,
            io:format("send_interval:~b:0 send_after:~b:0 receive-after:~b:0~n", [Of(1), Of(2), Of(3)]);
        _ -> io:format("woken~n")
    end,
    answer(Counts).
