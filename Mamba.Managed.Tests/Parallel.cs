// Fixtures run beside each other; each keeps its state in its instance and its files in folders of its own. Allocation is counted by thread.
[assembly: Parallelizable(ParallelScope.Fixtures)]
