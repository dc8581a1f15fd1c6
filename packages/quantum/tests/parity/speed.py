"""Times a circuit of 20 qubits and 200 gates beside PennyLane's lightning.qubit, in pairs: a state
with one expectation value, and the gradient by all angles.

Run by tests/parity/run. The times depend on what else the machine does; values must be equal.
"""
import pathlib
import resource
import subprocess
import sys
import time
import warnings

from package import compiled, peers

with peers():
    import numpy as np
    import pennylane as qml
    from pennylane import numpy as pnp
    import pennylane_lightning  # noqa: F401

WIRES, GATES, PAIRS = 20, 200, 3


def circuit(rng):
    out = []
    for _ in range(GATES):
        name = str(rng.choice(["RX", "RY", "RZ", "Hadamard", "CNOT", "CZ", "CRX", "IsingZZ"]))
        many = 1 if name in ("RX", "RY", "RZ", "Hadamard") else 2
        angles = 1 if name in ("RX", "RY", "RZ", "CRX", "IsingZZ") else 0
        out.append((name, [int(w) for w in rng.permutation(WIRES)[:many]], list(rng.uniform(-3, 3, angles))))
    return out


def line(gates):
    return f"{len(gates)} " + " ".join(
        f"{n} {len(w)} {' '.join(map(str, w))} {len(a)} {' '.join(float(x).hex() for x in a)}" for n, w, a in gates)


def processor():
    u = resource.getrusage(resource.RUSAGE_SELF)
    return u.ru_utime + u.ru_stime


def timed(f):
    wall, cpu = time.perf_counter(), processor()
    value = f()
    return time.perf_counter() - wall, processor() - cpu, value


def main():
    warnings.simplefilter("ignore")
    program = compiled(pathlib.Path(__file__).with_name("states.cpp"))
    glia = subprocess.Popen([program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def ours(method, gates):
        glia.stdin.write(f"time {WIRES} {method} {line(gates)}\n")
        glia.stdin.flush()
        wall, cpu, value = glia.stdout.readline().split()
        return float(wall), float(cpu), float.fromhex(value)

    gates = circuit(np.random.default_rng(1))
    device = qml.device("lightning.qubit", wires=WIRES)
    angles = [x for _, _, a in gates for x in a]
    tape = qml.tape.QuantumScript(
        [getattr(qml, n)(*a, wires=w) for n, w, a in gates], [qml.expval(qml.PauliZ(0))],
        trainable_params=range(len(angles)))
    pairs = {"state": lambda: qml.execute([tape], device, None)[0],
             "gradient": lambda: np.ravel(device.compute_derivatives(
                 [tape], qml.devices.ExecutionConfig(gradient_method="adjoint"))[0])[0]}
    failed = False
    for method, theirs in pairs.items():
        ratios, cpus, rows = [], [], []
        ours(method, gates), theirs()
        for _ in range(PAIRS):
            a, b = ours(method, gates), timed(theirs)
            failed |= not abs(a[2] - float(b[2])) < 1e-10
            ratios.append(b[0] / a[0])
            cpus.append(b[1] / a[1])
            rows.append((a[0], b[0], a[1], b[1]))
        m = [sorted(c)[len(c) // 2] for c in zip(*rows)]
        print(f"{'FAIL' if failed else 'ok  '} {method}: Glia {m[0]:.3f} s, lightning {m[1]:.3f} s: "
              f"{sorted(ratios)[PAIRS // 2]:.1f} times; processor {m[2]:.3f} and {m[3]:.3f} s: "
              f"{sorted(cpus)[PAIRS // 2]:.1f} times (medians of {PAIRS})")
    sys.exit(failed)


main()
