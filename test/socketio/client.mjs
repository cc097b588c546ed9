// Drives the published Socket.IO client for the Go tests beside it. It takes
// one JSON command a line on standard input and prints one JSON line for each
// thing that the client observes. The tests decide what is right.
import { createInterface } from "node:readline";
import { io } from "socket.io-client";

const sockets = new Map();
const say = (who, what, more = {}) => console.log(JSON.stringify({ who, what, ...more }));

const commands = {
  connect({ who, url, path = "/", auth, options }) {
    const socket = io(url + path, { // no transports: polling, then a WebSocket
      forceNew: true,
      reconnectionDelay: 20,
      reconnectionDelayMax: 50,
      auth,
      ...options,
    });
    sockets.set(who, socket);
    socket.on("connect", () => say(who, "connect",
      { id: socket.id, transport: socket.io.engine.transport.name, recovered: socket.recovered === true }));
    if (options?.showUpgrade) socket.io.engine.on("upgrade", (t) => say(who, "upgrade", { transport: t.name }));
    socket.on("connect_error", (err) =>
      say(who, "connect_error", { message: err.message, data: err.data ?? null, active: socket.active }));
    if (options?.showPings) socket.io.on("ping", () => say(who, "ping"));
    socket.on("disconnect", (reason) => say(who, "disconnect", { message: reason, active: socket.active }));
    socket.onAny((name, ...args) => {
      const ack = typeof args.at(-1) === "function" ? args.pop() : undefined;
      say(who, "event", { name, args });
      ack?.("from client", args.length);
    });
  },
  emit({ who, name, args = [] }) {
    sockets.get(who).emit(name, ...args);
  },
  ask({ who, name, args = [] }) {
    sockets.get(who).timeout(10_000).emit(name, ...args, (err, ...answer) =>
      err ? say(who, "ack_error", { message: err.message }) : say(who, "ack", { args: answer }));
  },
  drop({ who }) { // as when the network goes: the client comes back by itself
    sockets.get(who).io.engine.close();
  },
  binary({ who, name }) {
    sockets.get(who).emit(name, Buffer.from([1, 2, 3]));
  },
  disconnect({ who }) {
    sockets.get(who).disconnect();
  },
  reconnect({ who }) {
    sockets.get(who).connect();
  },
};

const lines = createInterface({ input: process.stdin });
lines.on("line", (line) => {
  const command = JSON.parse(line);
  commands[command.do](command);
});
lines.on("close", () => process.exit(0));
