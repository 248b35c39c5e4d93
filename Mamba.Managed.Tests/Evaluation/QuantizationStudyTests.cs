using Mamba.Managed.Evaluation;
using Mamba.Managed.Execution;
using Mamba.Managed.Kernels;
using Mamba.Managed.Models;
using Mamba.Managed.Tensors;
using Mamba.Managed.Tensors.Blocks;

namespace Mamba.Managed.Tests.Evaluation;

public class QuantizationStudyTests
{
    private const int Window = 20;

    private static readonly int[] tokens = [.. Enumerable.Range(0, 30).Select(i => i * 37 % 61)];

    private static readonly MambaLanguageModel model = MambaLanguageModel.Create(new() { DModel = 32, NLayer = 1, VocabSize = 61 }, 5);

    [Test]
    public void A_cost_is_that_of_a_model_with_the_one_tensor_quantized()
    {
        using QuantizationStudy study = new(model, tokens, Window, 2);
        QuantizationReport report = study.Run([ElementType.Q4_0, ElementType.Float16]);
        foreach (QuantizedTensor tensor in report.Tensors)
        {
            // The rows of dt_proj have two elements, which are no block.
            ElementType[] fitting = tensor.Name.EndsWith("dt_proj.weight", StringComparison.Ordinal) ? [ElementType.Float16] : [ElementType.Float16, ElementType.Q4_0];
            Assert.That(tensor.Candidates.Select(c => c.Type), Is.EqualTo(fitting), tensor.Name);
            QuantizationCandidate last = tensor.Candidates[^1];
            double cost = Nats(model.Map("", (path, t) => path == tensor.Name ? t.ConvertTo(last.Type) : t)) - Nats(model);
            Assert.That(last.NatsPerToken, Is.EqualTo(cost), tensor.Name);
            Assert.That(last.Bytes, Is.EqualTo(tensor.Tensor.ConvertTo(last.Type).ByteLength), tensor.Name);
        }

        Assert.That(report.Tensors, Has.Count.EqualTo(5));
        Assert.That(report.Baseline.NatsPerToken, Is.EqualTo(Nats(model)));
        Assert.That(study.Measure(new Dictionary<string, ElementType>()), Is.Zero);
    }

    [Test]
    public void Types_are_measured_together_and_leave_the_model_as_it_was()
    {
        using QuantizationStudy study = new(model, tokens, Window, 1);
        Dictionary<string, ElementType> types = new() { ["backbone.embeddings.weight"] = ElementType.Q5_0, ["backbone.layers.0.mixer.in_proj.weight"] = ElementType.Q8_0 };
        double expected = Nats(model.Map("", (path, t) => types.TryGetValue(path, out ElementType type) ? t.ConvertTo(type) : t)) - Nats(model);
        Assert.That(study.Measure(types), Is.EqualTo(expected));
        using CancellationTokenSource canceled = new();
        canceled.Cancel();
        Assert.That(() => study.Run(cancellationToken: canceled.Token), Throws.InstanceOf<OperationCanceledException>());
        Assert.That(study.Measure(types), Is.EqualTo(expected));
    }

    // A costs little in small types, B much, C gains by chance.
    [TestCase(0, "Float32 Float32 Float32")]
    [TestCase(0.002, "Q4_0 Float32 Float32")]
    [TestCase(0.02, "Q4_0 Float32 Q8_0")]
    [TestCase(1, "Q4_0 Q4_0 Q8_0")]
    public void A_budget_goes_where_it_saves_most(double budget, string expected)
    {
        QuantizationReport report = new(new(100, 50), [Matrix("A", 0.0001, 0.001), Matrix("B", 0.05, 0.5), Matrix("C", -0.01, null)]);
        QuantizationChoice choice = report.Recommend(budget);
        Assert.That(string.Join(' ', "ABC".Select(name => choice.Types[$"{name}"])), Is.EqualTo(expected));
        Assert.That(choice.ExpectedNats, Is.InRange(0, budget));
        Assert.That(choice.Bytes, Is.EqualTo(choice.Types.Values.Sum(type => 32L / type.BlockLength() * type.BlockSize())));
    }

    private static QuantizedTensor Matrix(string name, double eight, double? four)
    {
        QuantizationCandidate[] candidates = [new(ElementType.Q8_0, 34, 0.005, eight), .. four is { } cost ? [new QuantizationCandidate(ElementType.Q4_0, 18, 0.08, cost)] : Array.Empty<QuantizationCandidate>()];
        return new(name, Tensor.Zeros(ElementType.Float32, 1, 32), candidates);
    }

    private static double Nats(MambaLanguageModel held)
    {
        using CpuExecutor executor = new(held, 1);
        return Likelihood.Measure(executor, tokens, Window).NatsPerToken;
    }
}
