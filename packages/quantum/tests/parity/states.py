"""Random circuits of every gate and channel, here and in PennyLane: states and density matrices to
1e-12, derivatives to 1e-10, and PennyLane's OpenQASM read.

Run by tests/parity/run.
"""
import pathlib
import subprocess
import sys
import warnings

from package import WORK, compiled, peers

with peers():
    import numpy as np
    import pennylane as qml
    from pennylane import numpy as pnp

GATES = {  # wires, angles
    "PauliX": (1, 0), "PauliY": (1, 0), "PauliZ": (1, 0), "Hadamard": (1, 0), "S": (1, 0), "T": (1, 0),
    "SX": (1, 0), "RX": (1, 1), "RY": (1, 1), "RZ": (1, 1), "PhaseShift": (1, 1), "Rot": (1, 3),
    "U2": (1, 2), "U3": (1, 3), "CNOT": (2, 0), "CY": (2, 0), "CZ": (2, 0), "CH": (2, 0), "SWAP": (2, 0),
    "ISWAP": (2, 0), "SISWAP": (2, 0), "ECR": (2, 0), "Toffoli": (3, 0), "CCZ": (3, 0), "CSWAP": (3, 0),
    "CRX": (2, 1), "CRY": (2, 1), "CRZ": (2, 1), "CRot": (2, 3), "ControlledPhaseShift": (2, 1),
    "IsingXX": (2, 1), "IsingYY": (2, 1), "IsingZZ": (2, 1), "IsingXY": (2, 1), "PSWAP": (2, 1),
    "MultiRZ": (3, 1), "PauliRot": (3, 1), "SingleExcitation": (2, 1), "SingleExcitationMinus": (2, 1),
    "SingleExcitationPlus": (2, 1), "DoubleExcitation": (4, 1), "MultiControlledX": (4, 0), "QFT": (3, 0),
    "~S": (1, 0), "~T": (1, 0), "~SX": (1, 0), "~ISWAP": (2, 0), "~Rot": (1, 3), "~DoubleExcitation": (4, 1),
    "~QFT": (3, 0), "~U2": (1, 2),
}
CHANNELS = {"BitFlip": 1, "PhaseFlip": 1, "DepolarizingChannel": 1, "AmplitudeDamping": 1,
            "PhaseDamping": 1, "GeneralizedAmplitudeDamping": 2, "ResetError": 2}


def circuit(wires, count, rng, channels=False, only=None):
    out = []
    names = [n for n in (only or GATES) if GATES[n][0] <= wires]
    order = list(rng.permutation(names)) + list(rng.choice(names, max(0, count - len(names))))
    for name in order[:count]:
        many, angles = GATES[name]
        out.append((name, [int(w) for w in rng.permutation(wires)[:many]], list(rng.uniform(-4, 4, angles))))
        if channels and rng.uniform() < 0.4:
            noise = rng.choice(list(CHANNELS))
            out.append((noise, [int(rng.integers(wires))], list(rng.uniform(0, 0.4, CHANNELS[noise]))))
    return out


def line(gates):
    return f"{len(gates)} " + " ".join(
        f"{n} {len(w)} {' '.join(map(str, w))} {len(a)} {' '.join(float(x).hex() for x in a)}" for n, w, a in gates)


def applied(gates, angles=None):
    at = 0
    for name, wires, own in gates:
        if angles is not None:
            own = [angles[at + i] for i in range(len(own))]
            at += len(own)
        plain = name.lstrip("~")
        if plain == "PauliRot":
            op = qml.PauliRot(own[0], "XYZZYX"[:len(wires)], wires=wires)
        else:
            op = getattr(qml, plain)(*own, wires=wires)
        if name != plain:
            qml.adjoint(op)


def numbers(text):
    values = np.array([float.fromhex(x) for x in text.split()])
    return values[0::2] + 1j * values[1::2]


def main():
    warnings.simplefilter("ignore")
    program = compiled(pathlib.Path(__file__).with_name("states.cpp"))
    failed = False

    def glia(lines):
        return subprocess.run([program], input="\n".join(lines), text=True, check=True,
                              stdout=subprocess.PIPE).stdout.splitlines()

    def told(name, worst, limit):
        nonlocal failed
        failed |= not worst <= limit
        print(f"{'ok  ' if worst <= limit else 'FAIL'} {name}: {worst:.1e} apart at most")

    rng = np.random.default_rng(0)
    cases = [(w, circuit(w, 120, rng)) for w in (4, 5, 6, 8, 10)]
    cases += [(4, [(name, list(range(wires)), list(rng.uniform(-4, 4, angles)))])
              for name, (wires, angles) in GATES.items()]
    worst = 0
    for (wires, gates), text in zip(cases, glia([f"state {w} 0 {line(g)}" for w, g in cases])):
        @qml.qnode(qml.device("default.qubit", wires=wires))
        def state():
            applied(gates)
            return qml.state()
        apart = np.abs(numbers(text) - state()).max()
        if apart > 1e-12:
            print("  ", wires, gates[:2], apart)
        worst = max(worst, apart)
    told(f"states of {len(cases)} circuits of {len(GATES)} gates", worst, 1e-12)

    cases = [(w, circuit(w, 40, rng, channels=True)) for w in (3, 4, 5)]
    worst = 0
    for (wires, gates), text in zip(cases, glia([f"state {w} 1 {line(g)}" for w, g in cases])):
        @qml.qnode(qml.device("default.mixed", wires=wires))
        def mixed():
            applied(gates)
            return qml.density_matrix(wires=range(wires))
        worst = max(worst, np.abs(numbers(text).reshape(2**wires, -1) - mixed()).max())
    told(f"density matrices of {len(cases)} circuits with noise", worst, 1e-12)

    smooth = [n for n in GATES if GATES[n][1] and "~" not in n] + ["Hadamard", "CNOT"]
    cases = [(w, circuit(w, 30, rng, only=smooth)) for w in (4, 6)]
    worst = 0
    for (wires, gates), text in zip(cases, glia([f"slope {w} 0 {line(g)}" for w, g in cases])):
        @qml.qnode(qml.device("default.qubit", wires=wires), diff_method="backprop")
        def value(angles):
            applied(gates, angles)
            return qml.expval(qml.PauliZ(0) @ qml.PauliX(1))
        angles = pnp.array([x for _, _, a in gates for x in a], requires_grad=True)
        got = np.array([float.fromhex(x) for x in text.split()])
        worst = max(worst, abs(got[0] - value(angles)), np.abs(got[1:] - qml.grad(value)(angles)).max())
    told(f"derivatives of {len(cases)} circuits", worst, 1e-10)

    # PennyLane's OpenQASM, up to a phase; of SX it makes a gate "gphase", which OpenQASM 2 has not.
    cases, files = [], []
    for wires in (4, 6):
        gates = circuit(wires, 50, rng, only=[n for n in GATES if "~" not in n and "Excitation" not in n
                                             and n not in ("PSWAP", "ECR", "SISWAP", "SX")])
        with qml.queuing.AnnotatedQueue() as queue:
            applied(gates)
        tape = qml.tape.QuantumScript.from_queue(queue)
        file = WORK / f"theirs{wires}.qasm"
        file.write_text(qml.to_openqasm(tape, wires=qml.wires.Wires(range(wires)), precision=17))
        cases.append((wires, gates))
        files.append(file)
    worst = 0
    for (wires, gates), text in zip(cases, glia([f"qasm {w} {f}" for (w, _), f in zip(cases, files)])):
        @qml.qnode(qml.device("default.qubit", wires=wires))
        def state():
            applied(gates)
            return qml.state()
        worst = max(worst, abs(abs(np.vdot(numbers(text), state())) - 1))
    told("states of PennyLane's OpenQASM", worst, 1e-10)
    sys.exit(failed)


main()
