/* Programs at both ends of vsock connections, for a guest that has none: built by vsock.slow.test.ts.
 *   vsock-tool listen PORT PROGRAM [ARGUMENT...]   runs PROGRAM for each connection, which is its input and output
 *   vsock-tool connect PORT                        carries input to the host's PORT and what comes back to output */
#include <linux/vm_sockets.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

static int failed(const char *what) {
  perror(what);
  return 1;
}

static struct sockaddr_vm address(unsigned cid, const char *port) {
  struct sockaddr_vm vm;
  memset(&vm, 0, sizeof vm);
  vm.svm_family = AF_VSOCK;
  vm.svm_cid = cid;
  vm.svm_port = (unsigned)strtoul(port, NULL, 10);
  return vm;
}

static int serve(int socket_fd, char **argv) {
  struct sockaddr_vm vm = address(VMADDR_CID_ANY, argv[2]);
  if (bind(socket_fd, (struct sockaddr *)&vm, sizeof vm) < 0 || listen(socket_fd, 8) < 0) return failed("listen");
  for (;;) {
    int connection = accept(socket_fd, NULL, NULL);
    if (connection < 0) return failed("accept");
    if (fork() == 0) {
      dup2(connection, 0);
      dup2(connection, 1);
      close(connection);
      close(socket_fd);
      execvp(argv[3], argv + 3);
      _exit(127);
    }
    close(connection);
    while (waitpid(-1, NULL, WNOHANG) > 0);
  }
}

static int write_all(int fd, const char *bytes, ssize_t count) {
  while (count > 0) {
    ssize_t written = write(fd, bytes, (size_t)count);
    if (written <= 0) return -1;
    bytes += written;
    count -= written;
  }
  return 0;
}

static int carry(int socket_fd, const char *port) {
  static char buffer[65536];
  struct sockaddr_vm vm = address(VMADDR_CID_HOST, port);
  struct pollfd ends[2] = {{.fd = socket_fd, .events = POLLIN}, {.fd = 0, .events = POLLIN}};
  if (connect(socket_fd, (struct sockaddr *)&vm, sizeof vm) < 0) return failed("connect");
  for (;;) {
    if (poll(ends, 2, -1) < 0) return failed("poll");
    if (ends[0].revents) {
      ssize_t count = read(socket_fd, buffer, sizeof buffer);
      if (count < 0) return failed("read");
      if (count == 0) return 0;
      if (write_all(1, buffer, count) < 0) return failed("output");
    }
    if (ends[1].revents) {
      /* Less than either side has room for, so that neither waits for the other. */
      ssize_t count = read(0, buffer, 4096);
      if (count <= 0) {
        shutdown(socket_fd, SHUT_WR);
        ends[1].fd = -1;
      } else if (write_all(socket_fd, buffer, count) < 0) return failed("write");
    }
  }
}

int main(int argc, char **argv) {
  int socket_fd = socket(AF_VSOCK, SOCK_STREAM, 0);
  if (socket_fd < 0) return failed("socket");
  if (argc > 3 && strcmp(argv[1], "listen") == 0) return serve(socket_fd, argv);
  if (argc == 3 && strcmp(argv[1], "connect") == 0) return carry(socket_fd, argv[2]);
  return 64;
}
