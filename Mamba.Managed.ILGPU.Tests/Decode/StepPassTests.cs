using Mamba.Managed.ILGPU.Decode;
using Mamba.Managed.ILGPU.Kernels;

namespace Mamba.Managed.ILGPU.Tests.Decode;

/// <summary>The way of stepping that every device has.</summary>
[TestFixtureSource(typeof(TestDevices), nameof(TestDevices.All))]
public class StepPassTests(TestDevice device) : StepChecks(device)
{
    [Test]
    public void Plain_equals_float64_twice([Values(1, 3)] int sequences) => Check(Tiny, NumberType.Float32, StepWay.Plain, sequences);
}
