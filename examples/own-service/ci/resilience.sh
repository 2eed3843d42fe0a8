#!/bin/sh
# What CI requires of this service, with the command `systemd-lab`. Run it in the package's folder.
set -eu

cargo build --locked
program=target/x86_64-unknown-linux-gnu/debug/own-service:/usr/local/bin/own-service
mkdir -p target/resilience

# A crash costs at most five seconds.
systemd-lab run --unit units/own.service --file "$program" --get http://127.0.0.1:8080/ \
    --at 10s kill --require 'recovery <= 5s' --require 'no unit failed' \
    --junit target/resilience/run.xml

# ... at whatever moment it comes.
systemd-lab sweep --unit units/own.service --file "$program" --get http://127.0.0.1:8080/ \
    --fault kill --for 10s --moments 16 --require 'recovery <= 5s' \
    --junit target/resilience/sweep.xml
