namespace Mamba.Managed.Layers;

/// <summary>The role of a parameter in its layer, from which weight decay and quantization derive.</summary>
internal enum ParameterKind
{
    /// <summary>[vocab_size, d_model]: a vector for each token.</summary>
    Embedding,

    /// <summary>[vocab_size, d_model]: the projection to logits where it is not the embedding.</summary>
    Head,

    /// <summary>[outputs, inputs]: a projection into or out of a block.</summary>
    Projection,

    /// <summary>[outputs, inputs]: x_proj, whose output is dt, B and C, or dt_proj, from dt to Delta.</summary>
    Selection,

    /// <summary>[channels, 1, width]: the filters of the convolution.</summary>
    Filter,

    /// <summary>[outputs]: added to the outputs of a projection or convolution.</summary>
    Bias,

    /// <summary>[features]: the scale of a norm.</summary>
    Scale,

    /// <summary>[channels, states]: A_log.</summary>
    Transition,

    /// <summary>[channels]: D, the skip term.</summary>
    Skip,
}

/// <summary>How a parameter of a new model is initialized; the sizes and ranges are those of the configuration.</summary>
internal enum InitialValues
{
    /// <summary>0.</summary>
    Zeros,

    /// <summary>1.</summary>
    Ones,

    /// <summary>Uniform within 1 / sqrt(inputs), inputs being the last dimension: PyTorch's default for linear layers and convolutions.</summary>
    Uniform,

    /// <summary>Uniform within 1 / sqrt(d_conv): the bias of the convolution.</summary>
    UniformOfFilter,

    /// <summary>Uniform within 1 / sqrt(inputs n_layer), or without n_layer where the residual is not rescaled.</summary>
    UniformOfResidual,

    /// <summary>Uniform within dt_scale / sqrt(dt_rank).</summary>
    UniformOfStep,

    /// <summary>Normal with the standard deviation initializer_range.</summary>
    Normal,

    /// <summary>ln(1), ln(2), ... ln(d_state) for each channel: A = -1, -2, ... -d_state.</summary>
    LogarithmOfState,

    /// <summary>The inverse softplus of a step that is log-uniform between dt_min and dt_max.</summary>
    InverseSoftplusOfStep,
}

/// <summary>The description of a parameter that its layer gives: initialization, weight decay and quantization derive from it.</summary>
/// <param name="kind">Its role in the layer.</param>
/// <param name="initial">How it is initialized.</param>
internal sealed class ParameterInfo(ParameterKind kind, InitialValues initial)
{
    public static ParameterInfo Embedding { get; } = new(ParameterKind.Embedding, InitialValues.Normal);

    public static ParameterInfo Head { get; } = new(ParameterKind.Head, InitialValues.Uniform);

    public static ParameterInfo Projection { get; } = new(ParameterKind.Projection, InitialValues.Uniform);

    public static ParameterInfo Bias { get; } = new(ParameterKind.Bias, InitialValues.Zeros);

    public static ParameterInfo Filter { get; } = new(ParameterKind.Filter, InitialValues.Uniform);

    public static ParameterInfo FilterBias { get; } = new(ParameterKind.Bias, InitialValues.UniformOfFilter);

    public static ParameterInfo XProj { get; } = new(ParameterKind.Selection, InitialValues.Uniform);

    public static ParameterInfo DtProj { get; } = new(ParameterKind.Selection, InitialValues.UniformOfStep);

    public static ParameterInfo DtBias { get; } = new(ParameterKind.Bias, InitialValues.InverseSoftplusOfStep);

    public static ParameterInfo Transition { get; } = new(ParameterKind.Transition, InitialValues.LogarithmOfState);

    public static ParameterInfo Skip { get; } = new(ParameterKind.Skip, InitialValues.Ones);

    public static ParameterInfo OutProj { get; } = new(ParameterKind.Projection, InitialValues.UniformOfResidual);

    public static ParameterInfo Scale { get; } = new(ParameterKind.Scale, InitialValues.Ones);

    /// <summary>Its role in the layer.</summary>
    public ParameterKind Kind { get; } = kind;

    /// <summary>How it is initialized in a new model.</summary>
    public InitialValues Initial { get; } = initial;

    /// <summary>Whether it is the matrix of a matrix product. Only these are quantized: all other parameters are small or sensitive to rounding.</summary>
    public bool IsMatrix => Kind is ParameterKind.Embedding or ParameterKind.Head or ParameterKind.Projection or ParameterKind.Selection;

    /// <summary>Whether weight decay applies: to matrices and filters, but not to biases, norm scales, A_log and D.</summary>
    public bool Decays => IsMatrix || Kind == ParameterKind.Filter;
}
