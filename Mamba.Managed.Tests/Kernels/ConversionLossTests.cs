using Mamba.Managed.Checkpoints;
using Mamba.Managed.Checkpoints.Gguf;
using Mamba.Managed.Kernels;
using Mamba.Managed.Layers;
using Mamba.Managed.Models;
using Mamba.Managed.Tensors;
using Mamba.Managed.Tensors.Blocks;

namespace Mamba.Managed.Tests.Kernels;

/// <summary>No conversion makes a finite weight infinite, or a whole tensor zero.</summary>
public class ConversionLossTests
{
    private static readonly ElementType[] narrow = [.. Enum.GetValues<ElementType>().Where(type => type is not (ElementType.Float32 or ElementType.Int64))];

    [TestCase(ElementType.Float16, 65520f, false)]
    [TestCase(ElementType.Float16, -70000f, false)]
    [TestCase(ElementType.Float16, 65519.99f, true)]
    [TestCase(ElementType.BFloat16, 3.4e38f, false)]
    [TestCase(ElementType.BFloat16, 3.3961773e38f, true)]
    [TestCase(ElementType.Q8_0, 65505f, false)]
    [TestCase(ElementType.Q4_0, float.NaN, false)]
    [TestCase(ElementType.Q4_0, float.PositiveInfinity, false)]
    [TestCase(ElementType.Float16, float.PositiveInfinity, true)]
    [TestCase(ElementType.BFloat16, float.NaN, true)]
    public void A_finite_value_beyond_the_type_is_refused(ElementType type, float value, bool isTaken)
    {
        float[] values = new float[2 * 32 * 1024];
        (values[1], values[^5]) = (1, value);
        Tensor tensor = Tensor.FromFloats(values, values.Length / 256, 256);
        NUnit.Framework.Constraints.IResolveConstraint expected =
            isTaken ? Throws.Nothing : Throws.ArgumentException.With.Message.Contains("layer.weight").And.Message.Contains(type.ToString());
        Assert.That(() => tensor.ConvertWeight(type, 2, "layer.weight"), expected);
    }

    [Test]
    public void A_value_that_is_not_finite_hides_no_other()
    {
        Tensor tensor = Tensor.FromFloats([float.NaN, 1e6f, 0], 3);
        Assert.That(() => tensor.ConvertWeight(ElementType.Float16, 1, "weight"), Throws.ArgumentException.With.Message.Contains("found 1000000"));
    }

    [TestCaseSource(nameof(narrow))]
    public void A_tensor_of_which_nothing_would_be_left_is_refused(ElementType type)
    {
        float[] tiny = new float[512];
        tiny[300] = 1e-45f;
        Tensor tensor = Tensor.FromFloats(tiny, 2, 256);
        Assert.That(() => tensor.ConvertWeight(type, 1, "tiny"), Throws.ArgumentException.With.Message.StartsWith("tiny: ").And.Message.Contains("1E-45"));
        Assert.That(() => tensor.ConvertWeight(type, 1, "tiny", mayVanish: true), Throws.Nothing);
        Assert.That(() => Tensor.Zeros(ElementType.Float32, 2, 256).ConvertWeight(type, 1, "weight"), Throws.Nothing, "zeros stay zeros");
        tiny[511] = 0.5f;
        Assert.That(() => Tensor.FromFloats(tiny, 2, 256).ConvertWeight(type, 1, "weight"), Throws.Nothing, "a part may vanish");
    }

    [TestCaseSource(nameof(narrow))]
    public void The_largest_values_stay_finite_or_are_refused(ElementType type)
    {
        Random random = new(5);
        for (int trial = 0; trial < 50; trial++)
        {
            float[] values = [.. Enumerable.Range(0, 256).Select(_ => random.Next(3) switch { 0 => 65504f, 1 => -65504f, _ => (random.NextSingle() - 0.5f) * 131008 })];
            try
            {
                Assert.That(Tensor.FromFloats(values, 1, 256).ConvertWeight(type, 1, "weight").ToArray(), Has.All.Matches<float>(float.IsFinite));
            }
            catch (ArgumentException error)
            {
                Assert.That(error.Message, Does.Contain(type.ToString()));
            }
        }
    }

    [TestCase(GgufFileType.F16, 1e5f)]
    [TestCase(GgufFileType.Q8_0, 1e5f)]
    [TestCase(GgufFileType.Q4_K_M, 1e5f)]
    [TestCase(GgufFileType.Q4_0, 1e5f)]
    [TestCase(GgufFileType.F16, 1e-10f)]
    [TestCase(GgufFileType.Q4_K_M, 1e-10f)]
    [TestCase(GgufFileType.Q8_0, 1e-12f)]
    public void A_file_names_the_tensor_also_where_blocks_do_not_fit(GgufFileType type, float value)
    {
        string path = Path.GetTempFileName();
        const string Name = "backbone.layers.0.mixer.in_proj.weight";

        // Rows of 48 are no whole blocks of any kind, so that every block type falls back to half precision.
        foreach (int width in new[] { 48, 256 })
        {
            MambaConfig config = new() { DModel = width, NLayer = 1, VocabSize = 40 };
            MambaLanguageModel model = MambaLanguageModel.Create(config, 1).Map("", (name, tensor) => name == Name
                ? Tensor.FromFloats([.. Enumerable.Repeat(value, tensor.Count)], tensor.Shape)
                : tensor);
            Assert.That(() => GgufCheckpoint.Save(path, model, type), Throws.ArgumentException.With.Message.StartsWith(Name));
            Assert.That(() => model.ConvertTo(type), Throws.ArgumentException.With.Message.StartsWith(Name));
        }

        File.Delete(path);
    }

    [TestCase(100f, "is finite")]
    [TestCase(-200f, "is not 0")]
    public void A_that_single_precision_cannot_hold_is_refused(float logarithm, string expected)
    {
        string path = Path.GetTempFileName();
        MambaLanguageModel model = MambaLanguageModel.Create(new() { DModel = 32, NLayer = 1, VocabSize = 40 }, 1).Map("", (name, tensor) =>
            name.EndsWith("A_log", StringComparison.Ordinal) ? Tensor.FromFloats([.. Enumerable.Repeat(logarithm, tensor.Count)], tensor.Shape) : tensor);
        Assert.That(() => GgufCheckpoint.Save(path, model, GgufFileType.F32), Throws.ArgumentException.With.Message.Contains("A_log").And.Message.Contains(expected));
        File.Delete(path);
    }
}
