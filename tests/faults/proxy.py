# SPDX-License-Identifier: Apache-2.0
"""Between leat and the broker: the network as a test wants it. Speaks as much of Kafka's protocol as that takes.

A broker tells clients its own address, and they would go there; in its answers it is replaced by the proxy's.
"""

import asyncio
import struct
import threading

HOST = "127.0.0.1"

# Requests, by what their first two bytes are.
OFFSET_COMMIT, OFFSET_FETCH, ADD_PARTITIONS, ADD_OFFSETS, END_TRANSACTION = 8, 9, 24, 25, 26

# How long a transaction is kept open while an end that is too late goes in.
OPEN_S = 0.1


async def read_frame(reader):
    """With its length in front, as it came."""
    head = await reader.readexactly(4)
    return head + await reader.readexactly(struct.unpack(">i", head)[0])


def kind_of(request):
    return struct.unpack_from(">h", request, 4)[0]


def transactional_id_of(request):
    """Of one of the kinds above, in the versions where texts have a length of two bytes: behind the header and the client's name."""
    (n,) = struct.unpack_from(">h", request, 12)
    (length,) = struct.unpack_from(">h", request, 14 + max(n, 0))
    begin = 16 + max(n, 0)
    return request[begin:begin + length].decode()


def asks_for_stable_offsets(request):
    """The last but one of its bytes, in the versions that have it."""
    return kind_of(request) == OFFSET_FETCH and request[-2] == 1


class Held:
    """The end of a transaction that its client has given up waiting for, with the connection that it came by."""

    def __init__(self, request, reader, writer):
        self.request, self.reader, self.writer = request, reader, writer
        self.transactional_id = transactional_id_of(request)
        self.is_orphan = False

    async def release(self):
        """Returns the broker's answer to it, 0 when the broker has ended a transaction."""
        self.writer.write(self.request)
        while True:
            answer = await read_frame(self.reader)
            if answer[4:8] == self.request[8:12]:
                self.writer.close()
                return struct.unpack_from(">h", answer, 12)[0]


class Proxy:
    """In front of one broker, on a thread of its own. Methods are for the test's thread; what has an underscore runs on the proxy's."""

    def __init__(self, broker):
        self.broker = broker.rsplit(":", 1)[0], int(broker.rsplit(":", 1)[1])
        self.loop = asyncio.new_event_loop()
        self.is_open = asyncio.Event()
        self.is_open.set()
        self.is_holding, self.held, self.late_answer = False, None, None
        self.is_losing, self.n_lost = False, 0
        self.is_keeping, self.n_kept = False, 0
        self.n_stable, self.n_unstable = None, 0
        self.tasks = set()
        self.thread = threading.Thread(target=self.loop.run_forever)
        self.thread.start()
        self.server = self._call(asyncio.start_server(self._serve, HOST, 0))
        self.port = self.server.sockets[0].getsockname()[1]
        self.address = f"{HOST}:{self.port}"

    def _call(self, coroutine):
        return asyncio.run_coroutine_threadsafe(coroutine, self.loop).result(30)

    def swallow(self):
        """From now on nothing comes through, in neither direction, and nobody is told."""
        self.loop.call_soon_threadsafe(self.is_open.clear)

    def let_through(self):
        """Also what has waited."""
        self.loop.call_soon_threadsafe(self.is_open.set)

    def hold_end_of_transaction(self):
        """The next one. When its client has closed the connection, it goes in during the same producer's next transaction."""
        self.held, self.late_answer, self.is_holding = None, None, True

    def lose_answer_to_end_of_transaction(self):
        """The next one: the broker has done it, and the connection is gone before its client hears of it."""
        self.is_losing = True

    def keep_answer_to_offset_commit(self):
        """The next one: the broker has done it, and its client waits for what does not come, on a connection that is as before."""
        self.is_keeping = True

    def answer_no_more_about_stable_offsets(self, behind):
        """But for so many times. As a broker that has forgotten to end a transaction, which librdkafka asks again and again."""
        self.n_stable = behind

    async def _serve(self, reader, writer):
        task = asyncio.current_task()
        self.tasks.add(task)
        try:
            await self.is_open.wait()
            up_reader, up_writer = await asyncio.open_connection(*self.broker)
            connection = Connection(self, reader, writer, up_reader, up_writer)
            await connection.serve()
        except (OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass  # either side has gone, or the test is over
        finally:
            writer.close()
            self.tasks.discard(task)

    async def _end(self):
        self.server.close()
        for task in self.tasks:
            task.cancel()
        await asyncio.sleep(0.1)

    def close(self):
        self._call(self._end())
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join()
        self.loop.close()


class Connection:
    def __init__(self, proxy, reader, writer, up_reader, up_writer):
        self.proxy = proxy
        self.reader, self.writer, self.up_reader, self.up_writer = reader, writer, up_reader, up_writer
        self.own = HOST.encode() + struct.pack(">i", proxy.broker[1])
        self.shown = HOST.encode() + struct.pack(">i", proxy.port)
        self.is_held, self.lost, self.kept = False, None, None

    async def serve(self):
        """Until one side has closed. The broker's side of a connection with a held request stays open."""
        answers = asyncio.create_task(self.pass_answers())
        try:
            await self.pass_requests()
        finally:
            answers.cancel()
            if self.is_held:
                self.proxy.held.is_orphan = True
            else:
                self.up_writer.close()

    async def pass_requests(self):
        while True:
            request = await read_frame(self.reader)
            await self.proxy.is_open.wait()
            if self.proxy.is_holding and kind_of(request) == END_TRANSACTION:
                self.proxy.is_holding, self.is_held = False, True
                self.proxy.held = Held(request, self.up_reader, self.up_writer)
            if self.is_held:
                continue  # what comes behind it waits as well, and is never sent
            if self.proxy.n_stable is not None and asks_for_stable_offsets(request):
                if self.proxy.n_stable == 0:
                    self.proxy.n_unstable += 1
                    continue
                self.proxy.n_stable -= 1
            if self.proxy.is_losing and kind_of(request) == END_TRANSACTION:
                self.proxy.is_losing, self.lost = False, request[8:12]
            if self.proxy.is_keeping and kind_of(request) == OFFSET_COMMIT:
                self.proxy.is_keeping, self.kept = False, request[8:12]
            self.up_writer.write(request)
            await self.up_writer.drain()
            if self.begins_transaction_of_held(request):
                await asyncio.sleep(OPEN_S / 2)
                held, self.proxy.held = self.proxy.held, None
                self.proxy.late_answer = await held.release()
                await asyncio.sleep(OPEN_S / 2)

    def begins_transaction_of_held(self, request):
        """For the broker a transaction begins with its first partition."""
        held = self.proxy.held
        return (
            held is not None
            and held.is_orphan
            and kind_of(request) in (ADD_PARTITIONS, ADD_OFFSETS)
            and transactional_id_of(request) == held.transactional_id
        )

    async def pass_answers(self):
        try:
            while True:
                answer = await read_frame(self.up_reader)
                await self.proxy.is_open.wait()
                if answer[4:8] == self.lost:
                    self.proxy.n_lost += 1
                    break
                if answer[4:8] == self.kept:
                    self.proxy.n_kept += 1
                    continue
                self.writer.write(answer.replace(self.own, self.shown))
                await self.writer.drain()
        except (OSError, asyncio.IncompleteReadError):
            pass
        self.writer.close()
