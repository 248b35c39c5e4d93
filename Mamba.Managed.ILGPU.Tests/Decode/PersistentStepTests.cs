using ILGPU;
using ILGPU.Algorithms;
using ILGPU.Runtime;
using ILGPU.Runtime.CPU;
using ILGPU.Runtime.Cuda;
using Mamba.Managed.ILGPU.Decode;
using Mamba.Managed.ILGPU.Devices;
using Mamba.Managed.ILGPU.Kernels;
using Mamba.Managed.Models;

namespace Mamba.Managed.ILGPU.Tests.Decode;

/// <summary>The step in one launch against float64; a single group takes it on devices without NVIDIA's instructions.</summary>
[TestFixtureSource(typeof(TestDevices), nameof(TestDevices.WithWarps))]
public class PersistentStepTests(TestDevice device)
{
    private static readonly MambaConfig Padded = new() { DModel = 20, NLayer = 2, VocabSize = 37, DInner = 36, DState = 17, DConv = 3, DtRank = 3 };

    private static IEnumerable<MambaConfig> Configurations =>
    [
        Padded,
        Padded with { InProjBias = true, OutProjBias = true, TieEmbeddings = false, MixerNormEpsilon = 1e-6f, DConv = 1, DState = 5 },
        new() { DModel = 180, NLayer = 1, VocabSize = 16, DInner = 60, DtRank = 70, DState = 40, ConvBias = false },
    ];

    [Test]
    public void Several_groups_equal_float64()
    {
        if (device.Session.IsFast)
        {
            Assert.Ignore("the device has several groups in the other test");
        }

        Context context = Context.Create(builder => builder.Optimize(OptimizationLevel.O2).Math(MathMode.Fast).EnableAlgorithms().CPU(new CPUDevice(32, 2, 3)));
        using GpuSession session = new(context, context.GetDevice<CPUDevice>(0).CreateAccelerator(context));
        Check(session, Padded with { DInner = 40 }, bfloat16: true, threads: 64);
    }

    [Test]
    public void The_drivers_compiler_keeps_all_in_registers([Values] bool bfloat16)
    {
        if (!device.Session.IsFast)
        {
            Assert.Ignore("only an NVIDIA GPU has a driver that compiles");
        }

        CudaKernel kernel = (CudaKernel)device.Session.KernelOf(PersistentStep.KernelFor(bfloat16 ? NumberType.BFloat16 : NumberType.Float32), 768);
        Assert.That(CudaDriver.Resources(kernel.FunctionPtr).LocalBytes, Is.Zero);
    }

    [Test]
    public void Equals_float64([ValueSource(nameof(Configurations))] MambaConfig config, [Values] bool bfloat16)
    {
        Check(device.Session, config, bfloat16, device.Session.IsFast ? 768 : 192);
    }

    private static void Check(GpuSession session, MambaConfig config, bool bfloat16, int threads)
    {
        RandomModel model = new(config, bfloat16);
        NumberType type = bfloat16 ? NumberType.BFloat16 : NumberType.Float32;
        using UploadedModel uploaded = new(session, model, type);
        using StepBuffers buffers = new(session, uploaded.Weights.Shape, 1);
        using PersistentStep step = new(session, uploaded.Weights, buffers, session.IsFast ? PersistentStep.KernelFor(type) : Emulated(type), threads);
        Assert.That(PersistentStep.Fits(uploaded.Weights.Shape, session.Accelerator.NumMultiprocessors));
        StepCheck.EqualsFloat64(session, model, uploaded, 1, (tokens, slots, logits) =>
        {
            buffers.Send(tokens, slots);
            step.Run(uploaded.Pool.View, logits);
        }, session.IsFast ? 5 : 2);
    }

    private static Action<PersistentArguments> Emulated(NumberType type) => type == NumberType.Float32 ? PersistentKernel.Template : PersistentKernel.EmulatedBFloat16;
}
