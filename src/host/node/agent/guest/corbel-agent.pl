#!/usr/bin/perl
# Corbel's agent in the guest: runs one command for the host, and copies files as tar streams. The connection is
# standard input and output; systemd starts one agent for each (corbel-agent.socket). It needs perl-base alone.
#
# Each side first sends a line with the version it speaks. Frames follow: type[1] length[4, big-endian] payload. Lists
# are strings with a length[4, big-endian] before each.
#
#   host to guest                                 guest to host
#   E  run a command: a list of keys and values   S  it runs: a list (for P: directory or name; for G: directory or file)
#   P  take files: the same keys                  F  it does not run: a list of kind and message
#   G  give files: the same keys                  O  bytes of its output     R  bytes of its errors
#   I  bytes of its input; none: the end          X  it ended: a list of (exit, status) or (signal, number)
#   W  window: rows[4] columns[4]                 C  a list of (I, bytes): so many were taken
#   K  signal: its name
#   C  a list of (O or R, bytes): so many were taken
#
# Nobody sends more bytes of a stream than its window allows (256 KiB that were not taken yet).
use strict;
use warnings;
use Errno qw(EAGAIN EINTR EWOULDBLOCK ENOENT EACCES ENOTDIR);
use Fcntl qw(F_GETFL F_SETFL O_NOCTTY O_NONBLOCK O_RDWR);
use POSIX ();

my $version = 1;
my $stream_window = 262144;
my $longest_request = 1048576;
my $piece = 65536;

# ioctl numbers of asm-generic/ioctls.h.
my %terminal = (TIOCSCTTY => 0x540e, TIOCSWINSZ => 0x5414, TIOCGPTN => 0x80045430, TIOCSPTLCK => 0x40045431);
my %allowed_signal = map { $_ => 1 } qw(HUP INT QUIT KILL USR1 USR2 TERM CONT STOP TSTP WINCH);

my ($from_host, $to_host);
my ($input_buffer, $output_buffer) = ('', '');

sub pack_list   { return pack('(N/a*)*', @_) }
sub unpack_list { return unpack('(N/a*)*', $_[0]) }

# A guest's own programs can connect to its vsock ports too, and must not become root by it. The host's context ID is 2;
# struct sockaddr_vm is family[2] reserved[2] port[4] cid[4]. A socket of another family is a test's.
sub from_host {
  my $peer = getpeername $from_host;
  return 1 unless defined $peer && length $peer >= 12;
  my ($family, undef, undef, $cid) = unpack 'S S L L', $peer;
  return $family != 40 || $cid == 2;
}

sub set_nonblocking {
  my ($handle) = @_;
  fcntl($handle, F_SETFL, fcntl($handle, F_GETFL, 0) | O_NONBLOCK);
}

sub queue_frame {
  my ($type, $payload) = @_;
  $output_buffer .= $type . pack('N', length $payload) . $payload;
}

# Returns false when the host is gone.
sub flush_output {
  while (length $output_buffer) {
    my $written = syswrite($to_host, $output_buffer);
    if (defined $written) { substr($output_buffer, 0, $written, ''); next }
    next if $! == EINTR;
    return $! == EAGAIN || $! == EWOULDBLOCK;
  }
  return 1;
}

sub wait_for {
  my ($reads, $writes, $timeout) = @_;
  my ($read_bits, $write_bits) = ('', '');
  vec($read_bits, fileno $_, 1) = 1 for @$reads;
  vec($write_bits, fileno $_, 1) = 1 for @$writes;
  my $count = select($read_bits, $write_bits, undef, $timeout);
  return ({}, {}) if $count <= 0;
  my %readable = map { fileno($_) => 1 } grep { vec($read_bits, fileno $_, 1) } @$reads;
  my %writable = map { fileno($_) => 1 } grep { vec($write_bits, fileno $_, 1) } @$writes;
  return (\%readable, \%writable);
}

# Sends all there is to send and waits for the host to close: what it still sends must not make the connection break
# before it has read the last frame.
sub finish {
  my $deadline = time + 30;
  while (time < $deadline) {
    my @writes = length $output_buffer ? ($to_host) : ();
    my ($readable) = wait_for([$from_host], \@writes, 1);
    last unless flush_output();
    next unless $readable->{ fileno $from_host };
    $input_buffer = '';
    last unless receive();
  }
  exit 0;
}

sub refuse {
  my ($kind, $message) = @_;
  queue_frame('F', pack_list($kind, $message));
  finish();
}

# Fills the input buffer; false at the end of the connection.
sub receive {
  my $count = sysread($from_host, $input_buffer, $piece, length $input_buffer);
  return $count > 0 if defined $count;
  return $! == EAGAIN || $! == EINTR || $! == EWOULDBLOCK;
}

sub greet {
  $output_buffer = "CORBEL-AGENT $version\n";
  while ($input_buffer !~ /\n/) {
    exit 1 if length $input_buffer > 64;
    my @writes = length $output_buffer ? ($to_host) : ();
    my ($readable) = wait_for([$from_host], \@writes, 60);
    exit 1 unless flush_output() && (!$readable->{ fileno $from_host } || receive());
    exit 1 if !%$readable && !@writes;
  }
  exit 1 unless $input_buffer =~ s/^CORBEL-HOST ([0-9]+)\n//;
  finish() if $1 != $version;
}

# Takes a whole frame out of the input buffer; an empty list if there is none yet.
sub take_frame {
  return () if length $input_buffer < 5;
  my ($type, $length) = unpack('a1 N', $input_buffer);
  refuse('protocol', "a frame of $length bytes") if $length > $longest_request;
  return () if length $input_buffer < 5 + $length;
  my $payload = substr($input_buffer, 5, $length);
  substr($input_buffer, 0, 5 + $length, '');
  return ($type, $payload);
}

sub first_request {
  for (;;) {
    my ($type, $payload) = take_frame();
    if (defined $type) {
      refuse('protocol', "a request of type $type") unless $type =~ /^[EPG]$/;
      my @pairs = eval { unpack_list($payload) };
      refuse('protocol', 'a request that is malformed') if $@ || @pairs % 2 || pack_list(@pairs) ne $payload;
      my %request = (argv => [], env => []);
      while (my ($key, $value) = splice @pairs, 0, 2) {
        refuse('protocol', "a NUL byte in $key") if $value =~ /\0/;
        if (ref $request{$key}) { push @{ $request{$key} }, $value }
        else { $request{$key} = $value }
      }
      return ($type, \%request);
    }
    wait_for([$from_host], [], undef);
    exit 1 unless receive();
  }
}

sub find_user {
  my ($name) = @_;
  my @entry = !defined $name ? getpwuid $> : $name =~ /^[0-9]+$/ ? getpwuid $name : getpwnam $name;
  refuse('user', "there is no user $name in the guest") if !@entry && defined $name;
  my ($login, $uid, $gid, $home, $shell) = @entry ? @entry[0, 2, 3, 7, 8] : ('root', $>, $) + 0, '/', '/bin/sh');
  refuse('user', "the agent does not run as root and cannot become $login") if $uid != $> && $> != 0;
  return { login => $login, uid => $uid, gid => $gid, home => $home || '/', shell => $shell || '/bin/sh' };
}

sub become {
  my ($user) = @_;
  return 1 if $> != 0;
  my @groups = ($user->{gid});
  while (my ($name, undef, $gid, $members) = getgrent) {
    push @groups, $gid if grep { $_ eq $user->{login} } split ' ', $members;
  }
  endgrent;
  $) = join ' ', $user->{gid}, @groups;
  return POSIX::setgid($user->{gid}) && POSIX::setuid($user->{uid});
}

sub set_environment {
  my ($user, $request) = @_;
  my $sbin = $user->{uid} == 0 ? '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin' : undef;
  %ENV = (
    PATH => $sbin || '/usr/local/bin:/usr/bin:/bin:/usr/local/games:/usr/games',
    HOME => $user->{home}, USER => $user->{login}, LOGNAME => $user->{login}, SHELL => $user->{shell},
    LANG => 'C.UTF-8',
  );
  for (@{ $request->{env} }) { $ENV{$1} = $2 if /^([^=]+)=(.*)$/s }
}

sub open_terminal {
  my ($size) = @_;
  sysopen(my $master, '/dev/ptmx', O_RDWR | O_NOCTTY) or refuse('terminal', "the guest has no terminal left: $!");
  my ($number, $unlocked) = (pack('i', 0), pack('i', 0));
  ioctl($master, $terminal{TIOCSPTLCK}, $unlocked) or refuse('terminal', "the terminal stays locked: $!");
  ioctl($master, $terminal{TIOCGPTN}, $number) or refuse('terminal', "the terminal has no number: $!");
  sysopen(my $slave, '/dev/pts/' . unpack('i', $number), O_RDWR | O_NOCTTY)
    or refuse('terminal', "the terminal cannot be opened: $!");
  set_window($master, split ' ', $size);
  return ($master, $slave);
}

sub set_window {
  my ($master, $rows, $columns) = @_;
  my $size = pack 'S4', $rows, $columns, 0, 0;
  ioctl($master, $terminal{TIOCSWINSZ}, $size);
}

# In the child. Each list in the status pipe says more of how it went than the one before: its first word is started or
# failed.
my $status;

sub report { syswrite($status, pack('N/a*', pack_list(@_))) }

sub fail {
  my ($kind, $message) = @_;
  report('failed', $kind, $message);
  POSIX::_exit(127);
}

# What a request is made of: the words to run.
sub command_of {
  my ($type, $request, $user) = @_;
  my $path = $request->{path} // '';
  if ($type eq 'E') {
    my $directory = $request->{directory};
    if (defined $directory) { chdir $directory or fail('directory', "$directory: $!") }
    else { chdir $user->{home} or chdir '/' }
    report('started');
    return @{ $request->{argv} } ? (@{ $request->{argv} }) : ();
  }
  fail('path', 'an empty path') if $path eq '';
  my ($above, $name) = $path =~ m{^(.*/)?([^/]+)/*$}s ? ($1 // '.', $2) : ($path, '.');
  chdir $user->{home} or chdir '/';
  if (-d $path) {
    chdir $path or fail('path', "$path: $!");
    report('started', 'directory');
    return $type eq 'P' ? qw(tar -x --no-same-owner -f -) : qw(tar -c -f - .);
  }
  if ($type eq 'P') {
    fail('path', "$path is not a directory") if $path =~ m{/$} && -e $path;
    chdir $above or fail('path', "$above: $!");
    report('started', 'name', $name);
    return qw(tar -x --no-same-owner -f -);
  }
  lstat $path or fail('path', "$path: $!");
  fail('path', "$path is not a directory") if $path =~ m{/$};
  my $follow = -e $path ? 'h' : '';
  chdir $above or fail('path', "$above: $!");
  report('started', 'file');
  return ('tar', "-c${follow}f", '-', "./$name");
}

sub run_child {
  my ($type, $request, $user, $slave, @standard) = @_;
  POSIX::setsid();
  if (defined $slave) {
    ioctl($slave, $terminal{TIOCSCTTY}, 0);
    @standard = ($slave, $slave, $slave);
  }
  POSIX::dup2(fileno $standard[$_], $_) for 0 .. 2;
  $SIG{$_} = 'DEFAULT' for qw(PIPE CHLD);
  become($user) or fail('user', "the agent cannot become $user->{login}: $!");
  set_environment($user, $request);
  my @words = command_of($type, $request, $user);
  my $program = @words ? $words[0] : $user->{shell};
  @words = ('-' . ($program =~ m{([^/]*)$})[0]) unless @words;
  no warnings 'exec';
  exec { $program } @words;
  my $kind = $! == ENOENT ? 'not-found' : 'not-executable';
  fail($kind, "$program: $!");
}

sub start {
  my ($type, $request) = @_;
  my $user = find_user($request->{user});
  my ($master, $slave) = defined $request->{terminal} ? open_terminal($request->{terminal}) : ();
  my (@theirs, %ours);
  if (!defined $master) {
    pipe($theirs[0], $ours{I}) && pipe($ours{O}, $theirs[1]) && pipe($ours{R}, $theirs[2])
      or refuse('process', "no pipes: $!");
  }
  pipe(my $reports, $status) or refuse('process', "no pipes: $!");
  my $pid = fork // refuse('process', "no process: $!");
  run_child($type, $request, $user, $slave, @theirs) if $pid == 0;
  close $status;
  close $_ for grep { defined } $slave, @theirs;
  my $told = '';
  for (;;) {
    my $count = sysread($reports, $told, $piece, length $told);
    last if defined $count ? $count == 0 : $! != EINTR;
  }
  my ($how, @words) = unpack_list((unpack_list($told))[-1] // '');
  if (($how // '') ne 'started') {
    waitpid $pid, 0;
    refuse(@words) if defined $how;
    refuse('process', 'the command ended before it began');
  }
  queue_frame('S', pack_list(@words));
  %ours = (I => $master, O => $master) if defined $master;
  set_nonblocking($_) for values %ours;
  return ($pid, \%ours, $master);
}

# Carries bytes between the host and the command until it has ended and its output was read.
sub serve {
  my ($pid, $ours, $master) = @_;
  pipe(my $child_ended, my $tell_child_ended) or refuse('process', "no pipes: $!");
  set_nonblocking($_) for $child_ended, $tell_child_ended;
  $SIG{CHLD} = sub { syswrite($tell_child_ended, 'x') };
  my %credit = (O => $stream_window, R => $stream_window);
  my ($pending, $input_ended, $exit) = ('', 0, undef);
  for (;;) {
    if (!defined $exit && waitpid($pid, POSIX::WNOHANG()) == $pid) { $exit = $? }
    my @sources = grep { defined $ours->{$_} && $credit{$_} > 0 } qw(O R);
    my $stalled = grep { defined $ours->{$_} && $credit{$_} <= 0 } qw(O R);
    @sources = () if length $output_buffer >= $stream_window;
    my @reads = ($from_host, $child_ended, map { $ours->{$_} } @sources);
    my @writes = ((length $output_buffer ? $to_host : ()), (length $pending && $ours->{I} ? $ours->{I} : ()));
    # Whatever the command wrote before it ended can be read at once.
    my $ending = defined $exit && !$stalled && length $output_buffer < $stream_window;
    my ($readable, $writable) = wait_for(\@reads, \@writes, $ending ? 0 : undef);
    sysread($child_ended, my $ignored, 64) if $readable->{ fileno $child_ended };
    if (!flush_output() || ($readable->{ fileno $from_host } && !receive())) {
      kill '-HUP', $pid unless defined $exit;
      exit 0;
    }
    my $wrong;
    while (my ($type, $payload) = take_frame()) {
      if ($type eq 'I') {
        $input_ended = 1 if $payload eq '';
        $pending .= $payload if defined $ours->{I};
        $pending .= "\x04" if defined $master && $payload eq '';
        queue_frame('C', pack_list('I', length $payload)) unless defined $ours->{I};
        $wrong = 'more input than the window allows' if length $pending > 2 * $stream_window;
      }
      elsif ($type eq 'C') { my %taken = unpack_list($payload); $credit{$_} += $taken{$_} for keys %taken }
      elsif ($type eq 'W') { set_window($master, unpack 'N2', $payload) if defined $master }
      elsif ($type eq 'K') { kill "-$payload", $pid if $allowed_signal{$payload} && !defined $exit }
      else { $wrong = "a frame of type $type" }
    }
    if (defined $wrong) {
      kill '-HUP', $pid unless defined $exit;
      refuse('protocol', $wrong);
    }
    my $moved = 0;
    for my $name (@sources) {
      my $source = $ours->{$name};
      next unless $readable->{ fileno $source };
      my $most = $credit{$name} < $piece ? $credit{$name} : $piece;
      my $count = sysread($source, my $bytes, $most);
      if ($count) {
        queue_frame($name, $bytes);
        $credit{$name} -= $count;
        $moved = 1;
      }
      elsif (defined $count || ($! != EAGAIN && $! != EINTR)) { $ours->{$name} = undef }
    }
    if (defined $ours->{I} && length $pending) {
      my $count = syswrite($ours->{I}, $pending);
      if ($count) {
        substr($pending, 0, $count, '');
        queue_frame('C', pack_list('I', $count));
      }
      elsif (!defined $count && $! != EAGAIN && $! != EINTR) {
        queue_frame('C', pack_list('I', length $pending));
        $pending = '';
        $ours->{I} = undef;
      }
    }
    if ($input_ended && !length $pending && !defined $master && defined $ours->{I}) {
      close $ours->{I};
      $ours->{I} = undef;
    }
    last if $ending && !$moved;
  }
  my $signal = $exit & 127;
  queue_frame('X', $signal ? pack_list('signal', $signal) : pack_list('exit', $exit >> 8));
  finish();
}

open $from_host, '<&=', 0 or die;
open my $duplicate_in,  '<&', 0 or die;
open my $duplicate_out, '>&', 1 or die;
($from_host, $to_host) = ($duplicate_in, $duplicate_out);
open my $nowhere, '+<', '/dev/null' or die;
POSIX::dup2(fileno $nowhere, $_) for 0, 1;
binmode $_ for $from_host, $to_host;
$SIG{PIPE} = 'IGNORE';
exit 1 unless from_host();
set_nonblocking($_) for $from_host, $to_host;
greet();
serve(start(first_request()));
