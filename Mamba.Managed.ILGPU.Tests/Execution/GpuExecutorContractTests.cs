using Mamba.Managed.Execution;
using Mamba.Managed.ILGPU.Execution;
using Mamba.Managed.Models;
using Mamba.Managed.Tests.Execution;

namespace Mamba.Managed.ILGPU.Tests.Execution;

/// <summary>The executor keeps the contract on every device.</summary>
[TestFixtureSource(typeof(TestDevices), nameof(TestDevices.All))]
public class GpuExecutorContractTests(TestDevice device) : ExecutorContract
{
    protected override double Tolerance => 1e-4;

    // Three bfloat16 parts leave up to 5e-6 of the largest entry in a product, four products of two layers follow one another, and
    // passes of other sizes take other tiles. Elsewhere products are those of single precision.
    protected override double Spread => device.Session.IsFast ? 3e-5 : 1e-5;

    // A session of all tests, since kernels are compiled once for it; and passes of few rows, since three full ones take a minute where they are emulated.
    protected override IMambaExecutor Create(MambaLanguageModel model) =>
        GpuExecutor.Create(model, device.Session, new() { MaxRows = device.Session.IsFast ? 4096 : 256 });
}
