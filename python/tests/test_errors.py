"""C++ errors as exceptions of Python that name its line."""
import pathlib
import threading
import time

import numpy as np
import pytest

import glia


def test_kinds():
    assert issubclass(glia.ShapeError, ValueError) and issubclass(glia.ShapeError, glia.Error)
    assert issubclass(glia.ValueError, ValueError) and issubclass(glia.IoError, OSError)
    with pytest.raises(glia.ShapeError, match=r"inner sizes differ.* at test_errors.py:\d+"):
        glia.matmul(glia.ones((2, 3)), glia.ones((2, 3)))
    with pytest.raises(OSError, match="nothing.npy"):
        glia.io.read_npy("nothing.npy")
    with pytest.raises(glia.ShapeError, match="at test_errors.py"):
        glia.ones((2,)) + glia.ones((3,))
    with pytest.raises(glia.ValueError):
        glia.take(glia.ones((3,)), glia.tensor([7])).numpy()


@pytest.mark.parametrize("call", [
    lambda: glia.zeros((-1,)), lambda: glia.zeros((2**62, 2**62)), lambda: glia.zeros([1] * 9),
    lambda: glia.reshape(glia.ones((4,)), (3,)), lambda: glia.sum(glia.ones((2,)), [5]),
    lambda: glia.sum(glia.ones((2,)), 2**70), lambda: glia.ones((2,))[1:2:0],
    lambda: glia.nn.Linear(-1, 2), lambda: glia.nn.Linear(2**62, 2**62), lambda: glia.zeros("a"),
    lambda: glia.zeros(None), lambda: glia.nn.Conv2d(1, 1, kernel=0), lambda: glia.add_sizes(),
    lambda: glia.split(glia.ones((4,)), 0), lambda: glia.stack([]), lambda: glia.concat([None]),
    lambda: glia.nn.Module().forward(1), lambda: glia.nn.Module()(1), lambda: glia.relu(),
    lambda: glia.relu(None), lambda: glia.relu("x"), lambda: glia.relu(glia.ones((1,)), wrong=1),
    lambda: glia.gradients(None, []), lambda: glia.optim.Adam(None), lambda: glia.optim.Adam([1]),
    lambda: glia.optim.Adam([], lr=-1), lambda: glia.from_dlpack(3), lambda: glia.from_numpy([1]),
    lambda: glia.data.from_tensors(), lambda: glia.data.from_tensors(np.ones(2), np.ones(3)),
    lambda: glia.recipes.named("none"), lambda: glia.recipes.train("k-means", wrong=1),
    lambda: glia._restored(b"12", (1,), "f32"), lambda: glia.vmap(3), lambda: glia.tensor([[1], 2])])
def test_nonsense_is_an_exception(call):
    with pytest.raises(Exception) as error:
        call()
    assert not isinstance(error.value, SystemError)


def test_threads_compute_side_by_side():
    """Each thread trains a model of its own while another one counts in Python."""
    results, stop = {}, threading.Event()

    def train(seed):
        glia.manual_seed(seed)
        net = glia.nn.Linear(8, 8)
        opt = glia.optim.SGD(net.parameters(), lr=0.01)
        x = glia.randn((16, 8))
        for _ in range(30):
            f = glia.vmap(lambda row: glia.sum(net(row) * row))  # Python under the graph's lock
            opt.step(glia.gradients(glia.mean(f(x)), net.parameters()))
        results[seed] = net.weight.tolist()

    alone = {}
    for seed in range(4):
        train(seed)
    alone.update(results)
    results.clear()
    threads = [threading.Thread(target=train, args=(seed,)) for seed in range(4)]
    for t in threads:
        t.start()
    for t in threads:
        t.join(120)
        assert not t.is_alive()
    stop.set()
    assert results == alone


def test_others_run_while_glia_computes():
    ticks, stop = [0], threading.Event()

    def count():
        while not stop.is_set():
            ticks[0] += 1
            time.sleep(0.0005)

    thread = threading.Thread(target=count)
    thread.start()
    x = glia.randn((1500, 1500))
    before = ticks[0]
    for _ in range(5):
        glia.eval(glia.matmul(x, x))
    during = ticks[0] - before
    stop.set()
    thread.join()
    assert during > 0


def test_ctrl_c_ends_a_loop(tmp_path):
    import os
    import signal
    import subprocess
    import sys
    program = ("import glia, sys\nx = glia.randn((200, 200))\nprint('ready', flush=True)\n"
               "while True:\n  x = glia.tanh(x @ x)\n  x.numpy()\n")
    child = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE,
                             stderr=subprocess.PIPE, text=True, env=os.environ)
    assert child.stdout.readline() == "ready\n"
    time.sleep(0.2)
    child.send_signal(signal.SIGINT)
    _, errors = child.communicate(timeout=60)
    assert "KeyboardInterrupt" in errors and child.returncode != 0


def test_import_is_light():
    import subprocess
    import sys
    program = ("import sys, glia\nassert 'numpy' not in sys.modules\n"
               "import glia.nn, glia.nn.init, glia.optim\nfrom glia.nn import Linear\n")
    subprocess.run([sys.executable, "-c", program], check=True)
    assert pathlib.Path(glia.__file__).with_name("py.typed").exists()
    assert glia.__version__ in glia.version() and glia.__version__[0].isdigit()
