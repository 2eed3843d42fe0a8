# Runs for a while, and then ends as the name in its argument says. `say` is a command that logs.
# ends.sh SAY SECONDS NAME
say=$1 seconds=$2 name=$3
$say "$name: started"
[ "$name" != at-once ] || exit 1
sleep "$seconds"
case $name in
    exit-*) exit "${name#exit-}" ;;
    *) kill -s "$name" $$ ;;
esac
