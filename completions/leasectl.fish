# Print an optspec for argparse to handle cmd's options that are independent of any subcommand.
function __fish_leasectl_global_optspecs
    string join \n h/help V/version
end

function __fish_leasectl_needs_command
    # Figure out if the current invocation already has a command.
    set -l cmd (commandline -opc)
    set -e cmd[1]
    argparse -s (__fish_leasectl_global_optspecs) -- $cmd 2>/dev/null
    or return
    if set -q argv[1]
        # Also print the command, so this can be used to figure out what it is.
        echo $argv[1]
        return 1
    end
    return 0
end

function __fish_leasectl_using_subcommand
    set -l cmd (__fish_leasectl_needs_command)
    test -z "$cmd"
    and return 1
    contains -- $cmd[1] $argv
end

complete -c leasectl -n "__fish_leasectl_needs_command" -s h -l help -d 'Print help'
complete -c leasectl -n "__fish_leasectl_needs_command" -s V -l version -d 'Print version'
complete -c leasectl -n "__fish_leasectl_needs_command" -f -a "run" -d 'Run a command while holding a lease'
complete -c leasectl -n "__fish_leasectl_needs_command" -f -a "hold" -d 'Hold a lease for a shell script'
complete -c leasectl -n "__fish_leasectl_needs_command" -f -a "status" -d 'Show who holds which lease'
complete -c leasectl -n "__fish_leasectl_needs_command" -f -a "release" -d 'Ask the holder of a lease to give it back'
complete -c leasectl -n "__fish_leasectl_needs_command" -f -a "pause" -d 'Keep everyone out of leases'
complete -c leasectl -n "__fish_leasectl_needs_command" -f -a "resume" -d 'End a pause or a minimum hold'
complete -c leasectl -n "__fish_leasectl_needs_command" -f -a "scheduled-events" -d 'Show what is announced for this machine'
complete -c leasectl -n "__fish_leasectl_needs_command" -f -a "config" -d 'Show the settings and where they come from'
complete -c leasectl -n "__fish_leasectl_needs_command" -f -a "doctor" -d 'Try out a store and this machine'
complete -c leasectl -n "__fish_leasectl_needs_command" -f -a "completions" -d 'Print a script that completes what is typed'
complete -c leasectl -n "__fish_leasectl_needs_command" -f -a "man" -d 'Print a man page'
complete -c leasectl -n "__fish_leasectl_using_subcommand run" -s l -l lease -d 'The lease, by any name you choose' -r -f -a "(__fish_leasectl_leases)"
complete -c leasectl -n "__fish_leasectl_using_subcommand run" -s w -l wait -d 'Wait for the lease this long; else try once' -r -f
complete -c leasectl -n "__fish_leasectl_using_subcommand run" -s E -l held-exit-code -d 'Exit code when refused [default: 120]' -r -f
complete -c leasectl -n "__fish_leasectl_using_subcommand run" -l min-hold -d 'Keep others out at least this long' -r -f
complete -c leasectl -n "__fish_leasectl_using_subcommand run" -l restart -d 'Run again: on-lost, always' -r -f -a "on-lost\t'After a loss'
always\t'Also after the command has ended'"
complete -c leasectl -n "__fish_leasectl_using_subcommand run" -l store -d 'Where leases are kept [env: LEASECTL_STORE]' -r -f
complete -c leasectl -n "__fish_leasectl_using_subcommand run" -l store-file -d 'File with that URL [env: LEASECTL_STORE_FILE]' -r -F
complete -c leasectl -n "__fish_leasectl_using_subcommand run" -l config -d 'Settings [env: LEASECTL_CONFIG]' -r -F
complete -c leasectl -n "__fish_leasectl_using_subcommand run" -l run-timeout -d 'Longest run of the command' -r -f
complete -c leasectl -n "__fish_leasectl_using_subcommand run" -l stop-signal -d 'Asks it to end [default: TERM]' -r -f
complete -c leasectl -n "__fish_leasectl_using_subcommand run" -l grace -d 'From that to SIGKILL [default: 10s]' -r -f
complete -c leasectl -n "__fish_leasectl_using_subcommand run" -l leftovers -d 'Left behind: stop (default), wait, leave' -r -f -a "stop\t'Stop them, with the stop signal and the grace'
wait\t'Hold the lease until all of them have ended'
leave\t'Let them go on without the lease'"
complete -c leasectl -n "__fish_leasectl_using_subcommand run" -l leftovers-settle -d 'Time to end first [default: 1s]' -r -f
complete -c leasectl -n "__fish_leasectl_using_subcommand run" -l scheduled-events -d 'Leave before the machine goes' -r -f
complete -c leasectl -n "__fish_leasectl_using_subcommand run" -l notice -d 'So long before the event [default: 15m]' -r -f
complete -c leasectl -n "__fish_leasectl_using_subcommand run" -l min-duration -d 'Not for shorter events [default: 0s]' -r -f
complete -c leasectl -n "__fish_leasectl_using_subcommand run" -l resource -d 'This machine\'s name to the service' -r -f
complete -c leasectl -n "__fish_leasectl_using_subcommand run" -l scheduled-events-endpoint -d 'Who announces them [default: Azure]' -r -f
complete -c leasectl -n "__fish_leasectl_using_subcommand run" -l cache-dir -d 'Share one poller in this directory' -r -f -a "(__fish_complete_directories)"
complete -c leasectl -n "__fish_leasectl_using_subcommand run" -l ttl -d 'A grant lasts so long [default: 30s]' -r -f
complete -c leasectl -n "__fish_leasectl_using_subcommand run" -l renew-every -d 'It is renewed so often [default: ttl/5]' -r -f
complete -c leasectl -n "__fish_leasectl_using_subcommand run" -l expiry-grace -d 'Time to stop at its end [default: ttl/6]' -r -f
complete -c leasectl -n "__fish_leasectl_using_subcommand run" -l max-drift -d 'Clocks differ in rate by [default: 0.1]' -r -f
complete -c leasectl -n "__fish_leasectl_using_subcommand run" -l note -d 'A word to whoever is refused' -r -f
complete -c leasectl -n "__fish_leasectl_using_subcommand run" -l meta -d 'More for the record; repeatable' -r -f
complete -c leasectl -n "__fish_leasectl_using_subcommand run" -l holder -d 'Who we are [default: the host name]' -r -f
complete -c leasectl -n "__fish_leasectl_using_subcommand run" -l record -d 'Named: program (default), args, nothing' -r -f -a "program\t'The program'
args\t'The program and its arguments'
nothing\t'Neither'"
complete -c leasectl -n "__fish_leasectl_using_subcommand run" -l on-acquired -d 'Run before it; has to succeed' -r -f -a "(__fish_complete_command)"
complete -c leasectl -n "__fish_leasectl_using_subcommand run" -l on-doubt -d 'Run when a renewal is unanswered' -r -f -a "(__fish_complete_command)"
complete -c leasectl -n "__fish_leasectl_using_subcommand run" -l on-lost -d 'Run when the lease was lost' -r -f -a "(__fish_complete_command)"
complete -c leasectl -n "__fish_leasectl_using_subcommand run" -l on-released -d 'Run when it was given back' -r -f -a "(__fish_complete_command)"
complete -c leasectl -n "__fish_leasectl_using_subcommand run" -l events -d 'Events as lines of JSON' -r -F
complete -c leasectl -n "__fish_leasectl_using_subcommand run" -l log-format -d 'Of messages: text (default), json' -r -f -a "text\t'For people'
json\t'For programs'"
complete -c leasectl -n "__fish_leasectl_using_subcommand run" -s q -l quiet -d 'Print errors only'
complete -c leasectl -n "__fish_leasectl_using_subcommand run" -s v -l verbose -d 'Print also what went well'
complete -c leasectl -n "__fish_leasectl_using_subcommand run" -l ack-when-done -d 'Let the event begin once we have left'
complete -c leasectl -n "__fish_leasectl_using_subcommand run" -l no-coordination -d 'Ask alone, every 5 seconds'
complete -c leasectl -n "__fish_leasectl_using_subcommand run" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c leasectl -n "__fish_leasectl_using_subcommand hold" -s l -l lease -d 'The lease, by any name you choose' -r -f -a "(__fish_leasectl_leases)"
complete -c leasectl -n "__fish_leasectl_using_subcommand hold" -s w -l wait -d 'Wait for the lease this long; else try once' -r -f
complete -c leasectl -n "__fish_leasectl_using_subcommand hold" -s E -l held-exit-code -d 'Exit code when refused [default: 120]' -r -f
complete -c leasectl -n "__fish_leasectl_using_subcommand hold" -l min-hold -d 'Keep others out at least this long' -r -f
complete -c leasectl -n "__fish_leasectl_using_subcommand hold" -s p -l pid -d 'Guard this process, until its end' -r -f
complete -c leasectl -n "__fish_leasectl_using_subcommand hold" -l for -d 'Give it back after this time' -r -f
complete -c leasectl -n "__fish_leasectl_using_subcommand hold" -l ready-file -d 'This file is there while it is held' -r -F
complete -c leasectl -n "__fish_leasectl_using_subcommand hold" -l ready-fd -d 'Write the line to descriptor N too' -r -f
complete -c leasectl -n "__fish_leasectl_using_subcommand hold" -l store -d 'Where leases are kept [env: LEASECTL_STORE]' -r -f
complete -c leasectl -n "__fish_leasectl_using_subcommand hold" -l store-file -d 'File with that URL [env: LEASECTL_STORE_FILE]' -r -F
complete -c leasectl -n "__fish_leasectl_using_subcommand hold" -l config -d 'Settings [env: LEASECTL_CONFIG]' -r -F
complete -c leasectl -n "__fish_leasectl_using_subcommand hold" -l stop-signal -d 'Asks it to end [default: TERM]' -r -f
complete -c leasectl -n "__fish_leasectl_using_subcommand hold" -l grace -d 'From that to SIGKILL [default: 10s]' -r -f
complete -c leasectl -n "__fish_leasectl_using_subcommand hold" -l scheduled-events -d 'Leave before the machine goes' -r -f
complete -c leasectl -n "__fish_leasectl_using_subcommand hold" -l notice -d 'So long before the event [default: 15m]' -r -f
complete -c leasectl -n "__fish_leasectl_using_subcommand hold" -l min-duration -d 'Not for shorter events [default: 0s]' -r -f
complete -c leasectl -n "__fish_leasectl_using_subcommand hold" -l resource -d 'This machine\'s name to the service' -r -f
complete -c leasectl -n "__fish_leasectl_using_subcommand hold" -l scheduled-events-endpoint -d 'Who announces them [default: Azure]' -r -f
complete -c leasectl -n "__fish_leasectl_using_subcommand hold" -l cache-dir -d 'Share one poller in this directory' -r -f -a "(__fish_complete_directories)"
complete -c leasectl -n "__fish_leasectl_using_subcommand hold" -l ttl -d 'A grant lasts so long [default: 30s]' -r -f
complete -c leasectl -n "__fish_leasectl_using_subcommand hold" -l renew-every -d 'It is renewed so often [default: ttl/5]' -r -f
complete -c leasectl -n "__fish_leasectl_using_subcommand hold" -l expiry-grace -d 'Time to stop at its end [default: ttl/6]' -r -f
complete -c leasectl -n "__fish_leasectl_using_subcommand hold" -l max-drift -d 'Clocks differ in rate by [default: 0.1]' -r -f
complete -c leasectl -n "__fish_leasectl_using_subcommand hold" -l note -d 'A word to whoever is refused' -r -f
complete -c leasectl -n "__fish_leasectl_using_subcommand hold" -l meta -d 'More for the record; repeatable' -r -f
complete -c leasectl -n "__fish_leasectl_using_subcommand hold" -l holder -d 'Who we are [default: the host name]' -r -f
complete -c leasectl -n "__fish_leasectl_using_subcommand hold" -l record -d 'Named: program (default), args, nothing' -r -f -a "program\t'The program'
args\t'The program and its arguments'
nothing\t'Neither'"
complete -c leasectl -n "__fish_leasectl_using_subcommand hold" -l on-acquired -d 'Run before it; has to succeed' -r -f -a "(__fish_complete_command)"
complete -c leasectl -n "__fish_leasectl_using_subcommand hold" -l on-doubt -d 'Run when a renewal is unanswered' -r -f -a "(__fish_complete_command)"
complete -c leasectl -n "__fish_leasectl_using_subcommand hold" -l on-lost -d 'Run when the lease was lost' -r -f -a "(__fish_complete_command)"
complete -c leasectl -n "__fish_leasectl_using_subcommand hold" -l on-released -d 'Run when it was given back' -r -f -a "(__fish_complete_command)"
complete -c leasectl -n "__fish_leasectl_using_subcommand hold" -l events -d 'Events as lines of JSON' -r -F
complete -c leasectl -n "__fish_leasectl_using_subcommand hold" -l log-format -d 'Of messages: text (default), json' -r -f -a "text\t'For people'
json\t'For programs'"
complete -c leasectl -n "__fish_leasectl_using_subcommand hold" -s b -l background -d 'Return once it is held; for eval'
complete -c leasectl -n "__fish_leasectl_using_subcommand hold" -l until-eof -d 'Give it back at the end of input'
complete -c leasectl -n "__fish_leasectl_using_subcommand hold" -l json -d 'Print one JSON object when held'
complete -c leasectl -n "__fish_leasectl_using_subcommand hold" -s q -l quiet -d 'Print errors only'
complete -c leasectl -n "__fish_leasectl_using_subcommand hold" -s v -l verbose -d 'Print also what went well'
complete -c leasectl -n "__fish_leasectl_using_subcommand hold" -l ack-when-done -d 'Let the event begin once we have left'
complete -c leasectl -n "__fish_leasectl_using_subcommand hold" -l no-coordination -d 'Ask alone, every 5 seconds'
complete -c leasectl -n "__fish_leasectl_using_subcommand hold" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c leasectl -n "__fish_leasectl_using_subcommand status" -l prefix -d 'Those that begin with this' -r -f
complete -c leasectl -n "__fish_leasectl_using_subcommand status" -l store -d 'Where leases are kept [env: LEASECTL_STORE]' -r -f
complete -c leasectl -n "__fish_leasectl_using_subcommand status" -l store-file -d 'File with that URL [env: LEASECTL_STORE_FILE]' -r -F
complete -c leasectl -n "__fish_leasectl_using_subcommand status" -l config -d 'Settings [env: LEASECTL_CONFIG]' -r -F
complete -c leasectl -n "__fish_leasectl_using_subcommand status" -l only -d 'Only these changes, as in lost,expired' -r -f -a "appeared\t'It was there at the start'
acquired\t'Somebody has it'
changed\t'One holder directly after another'
released\t'It was given back'
lost\t'Its holder lost it and said so'
expired\t'Its holder is gone without a word'
paused\t'An operator keeps everyone out'
resumed\t'And does no longer'"
complete -c leasectl -n "__fish_leasectl_using_subcommand status" -l count -d 'End after so many lines' -r -f
complete -c leasectl -n "__fish_leasectl_using_subcommand status" -l until -d 'End when NAME is so: held, free' -r -f -a "held\t'Somebody has it'
free\t'It can be had'"
complete -c leasectl -n "__fish_leasectl_using_subcommand status" -l token -d 'Only if it is held under this token' -r -f
complete -c leasectl -n "__fish_leasectl_using_subcommand status" -l json -d 'One JSON object; lines with --watch'
complete -c leasectl -n "__fish_leasectl_using_subcommand status" -l prometheus -d 'Metrics for node_exporter'
complete -c leasectl -n "__fish_leasectl_using_subcommand status" -l by-holder -d 'Who has how many'
complete -c leasectl -n "__fish_leasectl_using_subcommand status" -l watch -d 'Go on showing what changes'
complete -c leasectl -n "__fish_leasectl_using_subcommand status" -l check -d 'Print nothing; exit 0: held, 1: not'
complete -c leasectl -n "__fish_leasectl_using_subcommand status" -l here -d 'Only if this machine holds it'
complete -c leasectl -n "__fish_leasectl_using_subcommand status" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c leasectl -n "__fish_leasectl_using_subcommand release" -s w -l wait -d 'Wait so long for its end [default: 1m]' -r -f
complete -c leasectl -n "__fish_leasectl_using_subcommand release" -l reason -d 'Why; its holder and the record are told' -r -f
complete -c leasectl -n "__fish_leasectl_using_subcommand release" -l token -d 'The holder\'s token, as status shows it' -r -f
complete -c leasectl -n "__fish_leasectl_using_subcommand release" -l store -d 'Where leases are kept [env: LEASECTL_STORE]' -r -f
complete -c leasectl -n "__fish_leasectl_using_subcommand release" -l store-file -d 'File with that URL [env: LEASECTL_STORE_FILE]' -r -F
complete -c leasectl -n "__fish_leasectl_using_subcommand release" -l config -d 'Settings [env: LEASECTL_CONFIG]' -r -F
complete -c leasectl -n "__fish_leasectl_using_subcommand release" -l force -d 'Take it away without asking'
complete -c leasectl -n "__fish_leasectl_using_subcommand release" -l foreign -d 'Its holder is not leasectl'
complete -c leasectl -n "__fish_leasectl_using_subcommand release" -s q -l quiet -d 'Print errors only'
complete -c leasectl -n "__fish_leasectl_using_subcommand release" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c leasectl -n "__fish_leasectl_using_subcommand pause" -l for -d 'It ends by itself after this time' -r -f
complete -c leasectl -n "__fish_leasectl_using_subcommand pause" -l reason -d 'Why; whoever is refused is told' -r -f
complete -c leasectl -n "__fish_leasectl_using_subcommand pause" -l store -d 'Where leases are kept [env: LEASECTL_STORE]' -r -f
complete -c leasectl -n "__fish_leasectl_using_subcommand pause" -l store-file -d 'File with that URL [env: LEASECTL_STORE_FILE]' -r -F
complete -c leasectl -n "__fish_leasectl_using_subcommand pause" -l config -d 'Settings [env: LEASECTL_CONFIG]' -r -F
complete -c leasectl -n "__fish_leasectl_using_subcommand pause" -s q -l quiet -d 'Print errors only'
complete -c leasectl -n "__fish_leasectl_using_subcommand pause" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c leasectl -n "__fish_leasectl_using_subcommand resume" -l store -d 'Where leases are kept [env: LEASECTL_STORE]' -r -f
complete -c leasectl -n "__fish_leasectl_using_subcommand resume" -l store-file -d 'File with that URL [env: LEASECTL_STORE_FILE]' -r -F
complete -c leasectl -n "__fish_leasectl_using_subcommand resume" -l config -d 'Settings [env: LEASECTL_CONFIG]' -r -F
complete -c leasectl -n "__fish_leasectl_using_subcommand resume" -s q -l quiet -d 'Print errors only'
complete -c leasectl -n "__fish_leasectl_using_subcommand resume" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c leasectl -n "__fish_leasectl_using_subcommand scheduled-events" -l exec -d 'With watch: run this for each change' -r -f -a "(__fish_complete_command)"
complete -c leasectl -n "__fish_leasectl_using_subcommand scheduled-events" -l count -d 'With watch: end after so many lines' -r -f
complete -c leasectl -n "__fish_leasectl_using_subcommand scheduled-events" -l types -d 'Of these types only, as in reboot,preempt' -r -f
complete -c leasectl -n "__fish_leasectl_using_subcommand scheduled-events" -l min-duration -d 'None that are shorter than this' -r -f
complete -c leasectl -n "__fish_leasectl_using_subcommand scheduled-events" -l resource -d 'This machine\'s name to the service' -r -f
complete -c leasectl -n "__fish_leasectl_using_subcommand scheduled-events" -l endpoint -d 'The service, or a file with its document' -r -f
complete -c leasectl -n "__fish_leasectl_using_subcommand scheduled-events" -l api-version -d 'The version to ask for [default: 2020-07-01]' -r -f
complete -c leasectl -n "__fish_leasectl_using_subcommand scheduled-events" -l cache-dir -d 'Share one poller in this directory' -r -f -a "(__fish_complete_directories)"
complete -c leasectl -n "__fish_leasectl_using_subcommand scheduled-events" -l json -d 'With list: one JSON object'
complete -c leasectl -n "__fish_leasectl_using_subcommand scheduled-events" -l all -d 'With ack: approve every event that is meant'
complete -c leasectl -n "__fish_leasectl_using_subcommand scheduled-events" -l all-resources -d 'Also those of other machines'
complete -c leasectl -n "__fish_leasectl_using_subcommand scheduled-events" -l no-coordination -d 'Ask alone, every 5 seconds'
complete -c leasectl -n "__fish_leasectl_using_subcommand scheduled-events" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c leasectl -n "__fish_leasectl_using_subcommand config" -l store -d 'Where leases are kept [env: LEASECTL_STORE]' -r -f
complete -c leasectl -n "__fish_leasectl_using_subcommand config" -l store-file -d 'File with that URL [env: LEASECTL_STORE_FILE]' -r -F
complete -c leasectl -n "__fish_leasectl_using_subcommand config" -l config -d 'Settings [env: LEASECTL_CONFIG]' -r -F
complete -c leasectl -n "__fish_leasectl_using_subcommand config" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c leasectl -n "__fish_leasectl_using_subcommand doctor" -l store -d 'Where leases are kept [env: LEASECTL_STORE]' -r -f
complete -c leasectl -n "__fish_leasectl_using_subcommand doctor" -l store-file -d 'File with that URL [env: LEASECTL_STORE_FILE]' -r -F
complete -c leasectl -n "__fish_leasectl_using_subcommand doctor" -l config -d 'Settings [env: LEASECTL_CONFIG]' -r -F
complete -c leasectl -n "__fish_leasectl_using_subcommand doctor" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c leasectl -n "__fish_leasectl_using_subcommand completions" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c leasectl -n "__fish_leasectl_using_subcommand man" -s h -l help -d 'Print help'
complete -c leasectl -f
complete -c leasectl -n "__fish_leasectl_using_subcommand scheduled-events" -a "list watch ack"
complete -c leasectl -n "__fish_leasectl_using_subcommand completions" -a "bash zsh fish"
complete -c leasectl -n "__fish_leasectl_using_subcommand man" -a "run hold status release pause resume scheduled-events config doctor completions man"

function __fish_leasectl_leases
    leasectl __names --prefix= -- (commandline -opc) 2>/dev/null
end
complete -c leasectl -n "__fish_leasectl_using_subcommand status" -a '(__fish_leasectl_leases)'
complete -c leasectl -n "__fish_leasectl_using_subcommand release" -a '(__fish_leasectl_leases)'
complete -c leasectl -n "__fish_leasectl_using_subcommand pause" -a '(__fish_leasectl_leases)'
complete -c leasectl -n "__fish_leasectl_using_subcommand resume" -a '(__fish_leasectl_leases)'
complete -c leasectl -n "__fish_leasectl_using_subcommand config" -a '(__fish_leasectl_leases)'

function __fish_leasectl_command
    set -l words (commandline -opc)
    set -l dashes (contains -i -- -- $words)
    or return
    set -e words[1..$dashes]
    complete -C (string join ' ' -- (string escape -- $words) (commandline -ct))
end
complete -c leasectl -n 'contains -- -- (commandline -opc)' -a '(__fish_leasectl_command)'
