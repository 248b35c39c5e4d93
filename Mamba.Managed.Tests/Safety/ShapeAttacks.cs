using Mamba.Managed.Execution;
using Mamba.Managed.Kernels;
using Mamba.Managed.Layers;
using Mamba.Managed.Models;
using Mamba.Managed.Tensors;
using Mamba.Managed.Threading;
using Mamba.Managed.Training;

namespace Mamba.Managed.Tests.Safety;

/// <summary>Calls whose sizes contradict each other. Each runs in a process of its own: unchecked, it would read or write memory of others.</summary>
internal static class ShapeAttacks
{
    /// <summary>What is tried, by name, and what the message must name.</summary>
    public static IReadOnlyDictionary<string, (Action Run, string Named)> All { get; } = new Dictionary<string, (Action Run, string Named)>
    {
        ["fewer states by configuration"] = (() => Prefill(FewerStates()), "backbone.layers.0.mixer.x_proj.weight [12, 128]: found Float32 [36, 128]"),
        ["fewer states, taken over"] = (() => CpuExecutor.TakeOver(FewerStates(), 1).Dispose(), "x_proj.weight"),
        ["mapped to more states"] = (() => Prefill(Mapped("A_log", t => Zeros(t.Shape[0], 256))), "backbone.layers.0.mixer.A_log [128, 16]: found Float32 [128, 256]"),
        ["one skip term"] = (() => Mix(Mixer() with { D = Zeros(1) }, 10), "D: expected floating-point numbers [128], found Float32 [1]"),
        ["a small x_proj"] = (() => Mix(Mixer() with { XProj = new Linear(Zeros(4, 128)) }, 10_000), "x_proj.weight"),
        ["more channels than in_proj gives"] = (() => Mix(Mixer() with { ALog = Zeros(1 << 18, 16) }, 100), "in_proj.weight: expected floating-point numbers [524288, any]"),
        ["one bias for many channels"] = (() => Convolve(new(Zeros(1 << 20, 1, 4), Zeros(1))), "bias"),
        ["one bias for many channels, by a copy"] = (() => Convolve(new CausalConv1d(Zeros(1 << 20, 1, 4), null) with { Bias = Zeros(1) }), "bias"),
        ["more tokens than vectors"] = (() => Prefill(Small() with { Config = Small().Config with { VocabSize = 1 << 24 } }), "backbone.embeddings.weight"),
        ["training, mapped to smaller tensors"] = (() => Train(Mapped("A_log", _ => Zeros(1, 1))), "A_log"),
        ["training, copied with smaller tensors"] = (() => Train(Changed(mixer => mixer with { ALog = Zeros(1, 1) })), "A_log"),
        ["gradients of smaller tensors"] = (() => _ = new Gradients(Changed(mixer => mixer with { OutProj = new(Zeros(1, 1)) })), "out_proj.weight"),
        ["a narrow last norm"] = (() => Prefill(Small() with { NormF = new(Zeros(32), 1e-5f) }), "backbone.norm_f.weight [64]: found Float32 [32]"),
        ["2^26 inputs"] = (() => new Linear(Zeros(1, 1 << 26)).Forward(new float[1, 1 << 26], new float[1, 1]), "at most 16777216 inputs"),
        ["rows times outputs beyond 2^32"] = (() => new Linear(Zeros(65536, 1)).Forward(new float[65537, 1], new float[1, 65536]), "expected [65537, 65536]"),
        ["rows times pitch beyond 2^32"] = (Product, "expected 4295087984 elements"),
        ["training without a bias of steps"] = (() => Train(Changed(WithoutStepBias)), "backbone.layers.0.mixer.dt_proj.bias [128] is missing"),
        ["an executor without a bias of steps"] = (() => Prefill(Changed(WithoutStepBias)), "backbone.layers.0.mixer.dt_proj.bias [128] is missing"),
        ["a bias that the executor would not add"] = (
            () => Prefill(Changed(mixer => mixer with { XProj = mixer.XProj with { Bias = Zeros(36) } })), "backbone.layers.0.mixer.x_proj.bias"),
    };

    /// <summary>The entry point of the child process.</summary>
    /// <returns>0 where the call was refused as an argument; the message is written.</returns>
    public static int Run(string name)
    {
        try
        {
            All[name].Run();
            Console.WriteLine("no exception");
            return 1;
        }
        catch (ArgumentException refused)
        {
            Console.WriteLine(refused.Message);
            return 0;
        }
    }

    public static MambaLanguageModel Small() => MambaLanguageModel.Create(new() { DModel = 64, NLayer = 2, VocabSize = 256 }, 1);

    /// <summary>A model whose first mixer is another, made by copies that no constructor sees.</summary>
    public static MambaLanguageModel Changed(Func<SelectiveStateSpaceModel, SelectiveStateSpaceModel> change)
    {
        MambaLanguageModel model = Small();
        ResidualBlock block = model.Layers[0] with { Mixer = change(model.Layers[0].Mixer) };
        return model with { Layers = model.Layers with { Blocks = [block, model.Layers[1]] } };
    }

    private static SelectiveStateSpaceModel WithoutStepBias(SelectiveStateSpaceModel mixer) => mixer with { DtProj = mixer.DtProj with { Bias = null } };

    private static SelectiveStateSpaceModel Mixer() => Small().Layers[0].Mixer;

    private static MambaLanguageModel FewerStates() => Small() with { Config = Small().Config with { DState = 4 } };

    private static MambaLanguageModel Mapped(string name, Func<Tensor, Tensor> map) =>
        Small().Map("", (path, tensor) => path.EndsWith(name, StringComparison.Ordinal) ? map(tensor) : tensor);

    private static Tensor Zeros(params ReadOnlySpan<int> shape) => Tensor.Zeros(ElementType.Float32, shape);

    private static void Prefill(MambaLanguageModel model)
    {
        using CpuExecutor executor = new(model, 1);
        executor.Prefill([200, 1, 2], executor.CreateState(), new float[model.Config.VocabSize]);
    }

    private static void Mix(SelectiveStateSpaceModel mixer, int rows) => mixer.Forward(new float[rows, 64], Mixer().CreateState(), new float[rows, 64]);

    private static void Convolve(CausalConv1d layer) => layer.Forward(new float[1, 1 << 20], new float[4, 1 << 20], new float[1, 1 << 20]);

    private static void Train(MambaLanguageModel model)
    {
        using TrainingPass pass = new(model.Config, 1);
        pass.Run(model, TrainingBatch.OfDocuments([[.. Enumerable.Range(0, 64)]]), new Gradients(Small()));
    }

    // The rows of a mixer of 1000 channels, one line apart: the last ends 120688 beyond 2^32.
    private static void Product()
    {
        const int Rows = 2_130_500, Outputs = 2000, Pitch = 2016;
        float[] x = new float[Rows], y = new float[unchecked((int)(((Rows - 1L) * Pitch) + Outputs))];
        using GemmScratch scratch = MatrixProduct.CreateScratch(1, Rows, 1);
        MatrixProduct.Forward(Worker.Alone, scratch, x, 1, new PackedMatrix(Zeros(Outputs, 1)), [], y, Rows, Pitch);
    }
}
