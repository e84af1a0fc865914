"""From responses to features.

ridge.py      ridge, an alpha per feature
classify.py   which class a sample is of: shrinkage LDA, logistic regression, linear SVM
              (classifiers.py: scikit-learn's, brought to one form)
"""
