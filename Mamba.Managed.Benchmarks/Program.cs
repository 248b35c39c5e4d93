using BenchmarkDotNet.Configs;
using BenchmarkDotNet.Running;
using Mamba.Managed.Benchmarks;

BenchmarkSwitcher.FromAssembly(typeof(WorkColumn).Assembly).Run(
    args, DefaultConfig.Instance.AddColumn(WorkColumn.Gigaflops, WorkColumn.Gigabytes, WorkColumn.Share));
