# An ESME of Net::SMPP: reads a plan on standard input, runs its sessions one after the other, tells what it saw.
use strict;
use warnings;
use JSON::PP;
use Net::SMPP;

local $/;
my $plan = decode_json(<STDIN>);
my %names = (0x0424 => 'message_payload', 0x020c => 'sar_msg_ref_num', 0x020e => 'sar_total_segments', 0x020f => 'sar_segment_seqnum');
for my $tag (0x1400, 0x1401) {  # a tag without a name would be written as an integer
    $names{$tag} = "vendor_$tag";
    $Net::SMPP::param_by_name{$names{$tag}} = $tag;
}

sub bound {
    my ($kind, $version) = @_;
    my $esme = Net::SMPP->new_connect(
        $plan->{host}, port => $plan->{port}, smpp_version => $version, interface_version => $version,
        system_id => $plan->{system_id}, password => $plan->{password}, timeout => 10,
    ) or die "cannot connect: $!";
    my %binds = (trx => 'bind_transceiver', tx => 'bind_transmitter', rx => 'bind_receiver');
    my $bind = $binds{$kind};
    my $answer = $esme->$bind();
    die "$kind refused: " . $answer->explain_status() if $answer->status;
    return $esme;
}

sub run {
    my ($asked) = @_;
    my (@ids, @receipts);
    my @kinds = $asked->{kind} eq 'pair' ? ('rx', 'tx') : ($asked->{kind});
    my @esmes = map { bound($_, $asked->{version}) } @kinds;
    my ($receiver, $sender) = ($esmes[0], $esmes[-1]);
    for my $letter (@{$asked->{letters}}) {
        my @tlvs = map { ($names{$_->[0]} => pack('H*', $_->[1])) } @{$letter->{tlvs}};
        $sender->submit_sm(
            async => 1, source_addr => $plan->{source}, destination_addr => '8613800138000', registered_delivery => 1,
            esm_class => $letter->{esm_class}, data_coding => $letter->{data_coding},
            short_message => pack('H*', $letter->{text}), @tlvs,
        );
    }
    my $wanted = @{$asked->{letters}};
    while (@ids < $wanted || @receipts < $wanted) {
        my $from = @ids < $wanted ? $sender : $receiver;
        my $pdu = $from->read_pdu() or die "nothing more came";
        if ($pdu->cmd == Net::SMPP::CMD_submit_sm_resp) {
            die $pdu->explain_status() if $pdu->status;
            push @ids, $pdu->message_id;
        } elsif ($pdu->cmd == Net::SMPP::CMD_deliver_sm) {
            $from->deliver_sm_resp(seq => $pdu->seq, message_id => '');
            push @receipts, $pdu->{short_message} =~ /id:(\S+)/;
        } elsif ($pdu->cmd == Net::SMPP::CMD_enquire_link) {
            $from->enquire_link_resp(seq => $pdu->seq);
        }
    }
    $_->unbind() or die "unbind" for @esmes;
    close $_ for @esmes;
    return { ids => \@ids, receipts => \@receipts };
}

print encode_json([map { run($_) } @{$plan->{sessions}}]);
