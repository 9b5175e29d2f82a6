# Verify the ARC chain of the message on standard input with Mail::DKIM (Debian's libmail-dkim-perl, which SpamAssassin brings along).
# The arguments are the keys that DNS would have: NAME RECORD NAME RECORD ... Prints the result.
use strict;
use warnings;
use Mail::DKIM::ARC::Verifier;

my %record = @ARGV;
{
    package Record;
    sub new  { my ($class, $text) = @_; return bless { text => $text }, $class }
    sub type { return "TXT" }
    sub txtdata { return $_[0]->{text} }
}
no warnings 'redefine';
*Mail::DKIM::DNS::query_async = sub {
    my ($name, $type, %with) = @_;
    my @answer = exists $record{$name} ? Record->new($record{$name}) : ();
    my @got = $with{Callbacks}->{Success}->(@answer);
    return sub { return wantarray ? @got : $got[0] };
};

binmode STDIN;
my $verifier = Mail::DKIM::ARC::Verifier->new();
$verifier->load(*STDIN);
print $verifier->result, "\n";
